// Colour for the broker's log where a person reads it: on a terminal, unless NO_COLOR says otherwise. chalk is loaded only then.

import type { LogPainter } from '../broker/admin/line-writer.js'
import type { LogType } from '../broker/admin/log.js'
import type { LogOutlets } from '../broker/admin/log-sinks.js'
import type { Streams } from './terminal.js'

/** How the lines of the standard streams are painted; loads chalk if one of them is a terminal. */
export async function logPainters({
  stdout,
  stderr,
  env,
}: Pick<Streams, 'stdout' | 'stderr' | 'env'>): Promise<LogOutlets['painters']> {
  const isWanted = (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  if (!isWanted || !(stdout.isTTY || stderr.isTTY)) return { stdout: undefined, stderr: undefined }
  const { Chalk } = await import('chalk')
  const { red, yellow, cyan, green, blue, dim } = new Chalk({ level: 1 })
  const colours: Partial<Record<LogType, (text: string) => string>> = {
    error: red,
    warning: yellow,
    notice: cyan,
    subscribe: blue,
    unsubscribe: blue,
    debug: dim,
    internal: green,
  }
  const paint: LogPainter = (text, type, time) => dim(time) + (colours[type]?.(text) ?? text)
  return { stdout: stdout.isTTY ? paint : undefined, stderr: stderr.isTTY ? paint : undefined }
}
