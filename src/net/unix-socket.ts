// The path of a Unix socket that is to be listened on: left behind by a broker that is gone, it is cleared away; in use, or a file
// of another kind, it is left alone. Accepting connections is the listener's part.

import { lstatSync, type Stats, unlinkSync } from 'node:fs'
import { connect } from 'node:net'

/** Bytes that the system has for a path (sockaddr_un), without the zero at its end. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103
/** The socket is for its owner and group: mode 0770. */
const UMASK = 0o007

/**
 * Makes sure that a socket can be made at `path`.
 * @throws Error that names the path and the cause
 */
export async function clearPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new Error(`the path of a Unix socket has ${MAX_PATH_BYTES} bytes at most, ${path} is longer`)
  let found: Stats
  try {
    found = lstatSync(path)
  } catch {
    // Nothing is there, or what is wrong with the folder will be told when the socket is made.
    return
  }
  if (!found.isSocket()) throw new Error(`${path} exists and is no socket`)
  if (await isAnswered(path)) throw new Error(`${path} is in use by another program`)
  unlinkSync(path)
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const answer = (isUsed: boolean) => () => {
      socket.destroy()
      resolve(isUsed)
    }
    socket.once('connect', answer(true))
    socket.once('error', (error) => answer('code' in error && error.code !== 'ECONNREFUSED')())
  })
}

/** Runs `make`, which makes a socket, so that it is for its owner and group only. */
export function withSocketMode<T>(make: () => T): T {
  const before = process.umask(UMASK)
  try {
    return make()
  } finally {
    process.umask(before)
  }
}
