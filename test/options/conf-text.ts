// For tests of the configuration reader: files that exist as long as a test runs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readConfFile } from '../../src/options/conf-file.js'
import type { Config } from '../../src/options/config.js'

/** The configuration that `text` results in, read from a file that is called `conf` in messages. */
export function readText(text: string | Uint8Array, ports: readonly number[] = []): Config {
  return readFiles({ conf: text }, ports).config
}

/** Writes `files` (names may have folders), reads `read`; `FOLDER` in a text stands for where they are. */
export function readFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  ports: readonly number[] = [],
  read: readonly string[] = ['conf'],
) {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-conf-'))
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), typeof content === 'string' ? content.replaceAll('FOLDER', folder) : content)
    }
    const config = readConfFile(
      read.map((name) => join(folder, name)),
      { ports },
    )
    const plain = (texts: readonly Error[]) => texts.map((error) => error.message.replaceAll(`${folder}/`, ''))
    return { config, problems: plain(config.problems), warnings: plain(config.warnings) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
