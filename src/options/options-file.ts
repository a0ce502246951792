// The file of default options of tsmq-pub and tsmq-sub: which one, and its lines as the words of a command line (spec: files.md
// section 5). What the words mean is read with those of the command line, in command-line.ts.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { textOfBytes } from './text.js'

/** Words that stand before those of the command line. */
export interface EarlierWords {
  readonly words: readonly string[]
  /** Where they are from, for messages: `file:line`. */
  readonly origin: string
}

/** One option per line: `-q 1`. What stands behind the first space is the value, blanks included. */
export function optionsOf(content: Uint8Array, file: string): readonly EarlierWords[] {
  const lines = textOfBytes(content).split('\n')
  return lines.flatMap((line, index) => {
    const text = line.replace(/\r$/, '').replace(/^ +/, '')
    if (line.startsWith('#') || text === '') return []
    const space = text.indexOf(' ')
    const words = space < 0 ? [text] : [text.slice(0, space), text.slice(space + 1)]
    return [{ words, origin: `${file}:${index + 1}` }]
  })
}

/** The first file that exists: the command's own in the folder of configurations, or mosquitto's. */
export function defaultOptionsFile(names: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const { XDG_CONFIG_HOME: xdg, HOME: home } = env
  const folder = xdg ? xdg : home ? join(home, '.config') : undefined
  return folder === undefined ? undefined : names.map((name) => join(folder, name)).find((file) => existsSync(file))
}

/** @throws the error of the system when `file` cannot be read */
export function readOptionsFile(file: string): readonly EarlierWords[] {
  return optionsOf(readFileSync(file), file)
}
