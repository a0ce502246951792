// That only one process uses a store: a Unix socket beside it, which the system takes back when its owner ends in whatever way, also
// across containers that share the folder. It tells whoever connects the number of the owner's process.

import { closeSync, constants, lstatSync, openSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { basename, dirname } from 'node:path'
import { StoreError } from './store-error.js'

/** Bytes that every system has for the path of a socket. */
const MAX_PATH_BYTES = 100
/** ms in which an owner says who it is. */
const PATIENCE = 2000
/** Two that start at once may clear away the same remains. */
const TRIES = 5

export class StoreLock {
  private readonly server: Server
  private readonly folder: number | undefined

  private constructor(server: Server, folder: number | undefined) {
    this.server = server
    this.folder = folder
  }

  /**
   * Takes the lock of the store at `path`.
   * @throws StoreError 'in use', or 'system' where the folder takes no sockets
   */
  static async take(path: string): Promise<StoreLock> {
    const name = `${path}-owner`
    // A long path is reached through its open folder.
    const isLong = Buffer.byteLength(name) > MAX_PATH_BYTES && process.platform === 'linux'
    const folder = isLong ? openSync(dirname(name), constants.O_RDONLY) : undefined
    const address = folder === undefined ? name : `/proc/self/fd/${folder}/${basename(name)}`
    try {
      for (let tries = 0; tries < TRIES; tries++) {
        const server = await bind(address)
        if (server !== undefined) return new StoreLock(server, folder)
        const remains = lstatSync(address, { throwIfNoEntry: false })?.ino
        const owner = await ownerOf(address)
        if (owner !== undefined) throw new StoreError('in use', `the store ${path} is in use by ${owner}`)
        if (remains !== undefined && lstatSync(address, { throwIfNoEntry: false })?.ino === remains) unlinkSync(address)
      }
      throw new StoreError('in use', `the store ${path} is being taken by another process`)
    } catch (error) {
      if (folder !== undefined) closeSync(folder)
      if (error instanceof StoreError) throw error
      const text = error instanceof Error ? error.message : String(error)
      throw new StoreError('system', `cannot lock the store ${path}: ${text}`, error)
    }
  }

  /** Who has the lock of the store at `path`; undefined when nobody does. */
  static owner(path: string): Promise<string | undefined> {
    return ownerOf(`${path}-owner`)
  }

  /** Gives it back. */
  release(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => {
        if (this.folder !== undefined) closeSync(this.folder)
        resolve()
      })
    })
  }
}

/** Undefined where something is already there. */
function bind(address: string): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(`process ${process.pid}`)
  })
  server.unref()
  const before = process.umask(0o077)
  try {
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        if ('code' in error && error.code === 'EADDRINUSE') resolve(undefined)
        else reject(error)
      })
      server.listen(address, () => resolve(server))
    })
  } finally {
    process.umask(before)
  }
}

/** Who answers at `address`; undefined when nobody does. */
function ownerOf(address: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    let text = ''
    let isThere = false
    const tell = () => resolve(text === '' ? 'another process' : text)
    socket.setTimeout(PATIENCE, () => {
      socket.destroy()
      tell()
    })
    socket.once('connect', () => {
      isThere = true
    })
    socket.on('data', (data) => {
      text += data.toString()
    })
    socket.once('end', tell)
    socket.once('error', (error) => {
      if (isThere) tell()
      else if ('code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT')) resolve(undefined)
      else reject(error)
    })
  })
}
