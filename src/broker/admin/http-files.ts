// The files of a folder, over HTTP: regular files below its real path only, whatever `..` or symbolic links say, and nothing whose
// path has a name with a dot in front. Only a few files are worked on at once, so that a folder on a network that does not answer
// leaves the process enough threads for everything else.

import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { extname, join, sep } from 'node:path'
import { Turns } from './turns.js'

const TYPES = new Map([
  ['.css', 'text/css; charset=utf-8'],
  ['.gif', 'image/gif'],
  ['.html', 'text/html; charset=utf-8'],
  ['.ico', 'image/x-icon'],
  ['.jpg', 'image/jpeg'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json'],
  ['.mjs', 'text/javascript; charset=utf-8'],
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.wasm', 'application/wasm'],
  ['.woff2', 'font/woff2'],
])

/** Of the four threads that Node has for files and passwords. */
const MOST_AT_ONCE = 2
/** Bytes read in one go. */
const CHUNK = 65_536

export class HttpFiles {
  private readonly turns = new Turns(MOST_AT_ONCE)

  /** Forgets requests whose connections have ended while they waited. */
  tick(): void {
    this.turns.sweep()
  }

  /** Sends the file at `path` below `folder`, `index.html` for a path that ends in `/`; false, with nothing sent, without one. */
  async send(folder: string | undefined, path: string, response: ServerResponse): Promise<boolean> {
    // Such files are not meant to be seen: .git, .htpasswd.
    if (folder === undefined || path.includes('/.')) return false
    // A response whose turn on the connection has not come is not told that the connection is gone.
    const isWanted = () => !response.destroyed && !response.req.socket.destroyed
    const whole = path.endsWith('/') ? `${path}index.html` : path
    const file = await this.turns.take(() => openBelow(folder, whole), isWanted)
    if (file === undefined) return false
    const { handle, size, name } = file
    try {
      response.setHeader('Content-Type', TYPES.get(extname(name).toLowerCase()) ?? 'application/octet-stream')
      response.setHeader('Content-Length', size)
      // A file that grows meanwhile is sent as it was.
      for (let at = 0; at < size && isWanted(); ) {
        const length = Math.min(CHUNK, size - at)
        const read = await this.turns.take(() => handle.read(Buffer.allocUnsafe(length), 0, length, at), isWanted)
        // It has become shorter, or whoever wanted it is gone.
        if (read === undefined || read.bytesRead === 0) break
        at += read.bytesRead
        if (!response.write(read.buffer.subarray(0, read.bytesRead)) && isWanted()) await drained(response)
      }
      // Short of what was announced, the end of the connection tells.
      response.end()
    } finally {
      await this.turns.take(() => handle.close())
    }
    return true
  }
}

async function openBelow(folder: string, path: string) {
  let handle: FileHandle | undefined
  try {
    const root = await realpath(folder)
    const name = await realpath(join(root, path))
    if (!name.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined
    // Without waiting: a FIFO has no reader's other end.
    handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await handle.stat()
    if (stats.isFile()) return { handle, size: stats.size, name }
  } catch {
    // What cannot be read is not there.
  }
  await handle?.close()
  return undefined
}

/** Room for more, or the end. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = response.req
    const done = () => {
      response.off('drain', done).off('close', done)
      socket.off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
    socket.on('close', done)
  })
}
