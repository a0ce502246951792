// The file of a store before LMDB opens it: made for its owner only where there is none, and left alone unless it is what it should
// be.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { StoreError } from './store-error.js'

const MODE = 0o600
const { O_CREAT, O_EXCL, O_RDWR } = constants
const MOSQUITTO = Buffer.from('\x00\xb5\x00mosquitto db', 'latin1')
/** Where LMDB has its magic number on the first page, and what it is. */
const LMDB_AT = 24
const LMDB = Buffer.from([0xde, 0xc0, 0xef, 0xbe])
const LOOKED_AT = 64

/**
 * Makes sure that there is a file that LMDB can open, for its owner only.
 * @throws StoreError that names the file and says what to do
 */
export function prepareStoreFile(path: string): void {
  for (const name of [path, `${path}-lock`])
    try {
      closeSync(openSync(name, O_RDWR | O_CREAT | O_EXCL, MODE))
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw new StoreError('system', `cannot make ${name}: ${words(error)}`, error)
    }
  checkKind(path, beginningOf(path))
}

/**
 * Makes sure that there is a store to look at.
 * @throws StoreError
 */
export function checkStoreFile(path: string): void {
  const beginning = beginningOf(path)
  if (beginning.length === 0) throw new StoreError('damaged', `${path} is empty`)
  checkKind(path, beginning)
}

function checkKind(path: string, beginning: Buffer): void {
  if (beginning.length === 0) return
  if (beginning.subarray(0, MOSQUITTO.length).equals(MOSQUITTO))
    throw new StoreError(
      'foreign',
      `${path} was written by Mosquitto. Rename it and read it in with --import-mosquitto-db: ` +
        `mv ${path} ${path}.old && tsmq -c FILE --import-mosquitto-db ${path}.old`,
    )
  if (!beginning.subarray(LMDB_AT, LMDB_AT + LMDB.length).equals(LMDB))
    throw new StoreError('foreign', `${path} is not a store of tsmq. Move it away or choose another persistence_file`)
}

function beginningOf(path: string): Buffer {
  let file: number
  try {
    file = openSync(path, O_RDWR)
  } catch (error) {
    throw new StoreError('system', `cannot open the store ${path}: ${words(error)}`, error)
  }
  try {
    if (!fstatSync(file).isFile()) throw new StoreError('foreign', `${path} is not a regular file`)
    const bytes = Buffer.alloc(LOOKED_AT)
    return bytes.subarray(0, readSync(file, bytes, 0, LOOKED_AT, 0))
  } finally {
    closeSync(file)
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** The system's words, without the call and the path that Node adds. */
function words(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /^[A-Z0-9]+: (.*?)(?:, \w+.*)?$/.exec(text)?.[1] ?? text
}
