// The files of a folder, over HTTP: regular files below its real path only, whatever `..` or symbolic links say.

import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { extname, join, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

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

/** Sends the file at `path` below `folder`, `index.html` for a path that ends in `/`; or calls `onMissing`. */
export async function sendFile(
  folder: string | undefined,
  path: string,
  response: ServerResponse,
  onMissing: () => void,
): Promise<void> {
  const file =
    folder === undefined ? undefined : await openBelow(folder, path.endsWith('/') ? `${path}index.html` : path)
  if (file === undefined) {
    onMissing()
    return
  }
  const { handle, size, name } = file
  response.setHeader('Content-Type', TYPES.get(extname(name).toLowerCase()) ?? 'application/octet-stream')
  response.setHeader('Content-Length', size)
  // A file that grows meanwhile is sent as it was; whoever is gone in the middle has nobody to be told.
  if (size > 0) await pipeline(handle.createReadStream({ start: 0, end: size - 1 }), response).catch(() => {})
  else {
    response.end()
    await handle.close()
  }
}

async function openBelow(folder: string, path: string) {
  try {
    const root = await realpath(folder)
    const name = await realpath(join(root, path))
    if (!name.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined
    // Without waiting: a FIFO has no reader's other end.
    const handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK)
    const { size, isFile } = await describe(handle)
    if (isFile) return { handle, size, name }
    await handle.close()
  } catch {
    // What cannot be read is not there.
  }
  return undefined
}

async function describe(handle: Awaited<ReturnType<typeof open>>) {
  const stats = await handle.stat()
  return { size: stats.size, isFile: stats.isFile() }
}
