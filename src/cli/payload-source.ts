// A whole payload from a file or from standard input, never more of it than a packet holds.

import { close, fstat, open, read } from 'node:fs'
import { promisify } from 'node:util'
import type { ByteInput } from './byte-input.js'

/** Largest payload that fits a packet, with the shortest topic there is; what else stands in the packet is checked when it is sent. */
export const MAX_PAYLOAD = 268_435_455

/** Bytes read at first from what does not tell its size, such as a pipe. */
const FIRST_READ = 65_536

/** Bytes of one read at most: between two of them, progress can be seen. */
const LARGEST_READ = 4_194_304

/** How far the reading is, for those who wait. */
export interface ReadProgress {
  /** Bytes. */
  done: number
  /** Bytes there are, where that is known. */
  total: number | undefined
}

/** A payload that cannot be had; `message` says why. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError'
}

/** The system's words without the call they are about. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, (open|read|stat)\b.*$/s, '') : String(error)
}

function tooLarge(name: string): PayloadError {
  return new PayloadError(`${name} has more than ${MAX_PAYLOAD} bytes, the most that a message can have`)
}

/** The contents of `path`, which may be a pipe or a device. @throws PayloadError */
export async function payloadOfFile(path: string, progress?: ReadProgress): Promise<Buffer> {
  let file: number | undefined
  try {
    file = await promisify(open)(path, 'r')
    return await readAll(file, path, progress)
  } catch (error) {
    if (error instanceof PayloadError) throw error
    throw new PayloadError(`cannot read ${path}: ${reasonOf(error)}`)
  } finally {
    if (file !== undefined) close(file)
  }
}

async function readAll(file: number, path: string, progress?: ReadProgress): Promise<Buffer> {
  const { size } = await promisify(fstat)(file)
  if (size > MAX_PAYLOAD) throw tooLarge(path)
  if (progress !== undefined && size > 0) progress.total = size
  // A byte more than expected, to see the end.
  let bytes = Buffer.allocUnsafeSlow(size > 0 ? size + 1 : FIRST_READ)
  for (let used = 0; ; ) {
    const room = Math.min(bytes.length - used, LARGEST_READ)
    const { bytesRead } = await promisify(read)(file, bytes, used, room, null)
    if (bytesRead === 0) return bytes.subarray(0, used)
    used += bytesRead
    if (progress !== undefined) progress.done = used
    if (used > MAX_PAYLOAD) throw tooLarge(path)
    if (used < bytes.length) continue
    const larger = Buffer.allocUnsafeSlow(Math.min(2 * bytes.length, MAX_PAYLOAD + 1))
    bytes.copy(larger)
    bytes = larger
  }
}

/** All of `input`, which may not be empty. @throws PayloadError */
export function payloadOfInput(input: ByteInput, progress?: ReadProgress): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    const fail = (error: PayloadError) => {
      input.stop()
      reject(error)
    }
    input.start({
      onBytes: (bytes, length) => {
        chunks.push(Buffer.from(bytes.subarray(0, length)))
        size += length
        if (progress !== undefined) progress.done = size
        if (size > MAX_PAYLOAD) fail(tooLarge(input.name))
        return size <= MAX_PAYLOAD
      },
      onEnd: () => {
        if (size === 0) fail(new PayloadError(`${input.name} is empty`))
        else resolve(Buffer.concat(chunks, size))
      },
      onError: (error) => fail(new PayloadError(`cannot read ${input.name}: ${reasonOf(error)}`)),
    })
  })
}
