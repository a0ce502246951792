// Files with secrets in them that are read without the checks of password files: private keys, and configurations that hold passwords.
// Others should not be able to read them; whose they are does not matter, because the broker may become somebody else later.

import { statSync } from 'node:fs'
import { permissionWarnings } from '../access/restricted-file.js'
import type { Position } from '../options/conf-lines.js'
import type { Config } from '../options/config.js'

export interface LooseFile {
  /** Where it is named, or the file itself. */
  readonly at: Position
  readonly message: string
}

/** Those that everyone on this machine can use. Files that cannot be read are told elsewhere. */
export function looseFiles({ listeners, bridges, secretFiles }: Config): readonly LooseFile[] {
  const confs = [...secretFiles].map((file) => ({ path: file, at: { file, line: 0 } }))
  const keys = listeners.flatMap(({ keyfile: path, positions, where }) => {
    const at = positions.get('keyfile') ?? where
    return path === undefined || at === undefined ? [] : [{ path, at }]
  })
  const bridgeKeys = bridges.flatMap(({ bridge_keyfile: path, where }) =>
    path === undefined ? [] : [{ path, at: where }],
  )
  const byPath = new Map([...confs, ...keys, ...bridgeKeys].map((each) => [each.path, each]))
  return [...byPath.values()].flatMap(({ path, at }) => loosenessOf(path).map((message) => ({ at, message })))
}

function loosenessOf(path: string): readonly string[] {
  try {
    const stats = statSync(path)
    return permissionWarnings(path, stats, stats).map((text) => text.replace(/^Warning: /, ''))
  } catch {
    return []
  }
}
