// What the commands write to stdout: collected while the event loop handles one batch of input, written in one piece at its end.
// On a terminal, control characters in received bytes are escaped; in a pipe every byte passes as it is. A reader that has
// gone away is not an error: output is dropped from then on and `isClosed` tells.

import { isUtf8 } from 'node:buffer'

const BLOCK = 65_536
const NEWLINE = 0x0a
/** Bytes handed to the stream and not taken by it, above which the source is asked to wait. */
const HIGH_WATER = 1_048_576

/** The part of a stdout stream that is needed. */
export interface OutputStream {
  write(chunk: Uint8Array, done: (error?: Error | null) => void): boolean
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
}

/** Bytes that a terminal would act on: control characters other than newline and tab. */
function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== NEWLINE && byte !== 0x09) || byte === 0x7f
}

export class Output {
  /** The reader is gone. */
  isClosed = false
  /** The last line has not ended yet. */
  isLineOpen = false
  /** Called before something is written. */
  beforeWrite: () => void = () => {}
  /** Called once when the reader goes away. */
  onClosed: () => void = () => {}
  /** Called when a reader that was behind has caught up. */
  onCaughtUp: () => void = () => {}
  private readonly stream: OutputStream
  /** Whether control characters in what came from the broker are escaped. */
  escaping: boolean
  private block: Buffer = Buffer.allocUnsafeSlow(BLOCK)
  private spare: Buffer | undefined = undefined
  private used = 0
  private pending = 0
  private isScheduled = false
  private waiting: (() => void)[] = []

  /** @param escaping whether the stream is a terminal. */
  constructor(stream: OutputStream, escaping: boolean) {
    this.stream = stream
    this.escaping = escaping
    stream.on('error', () => this.close())
  }

  /** The reader does not keep up: whoever produces more should wait for `onCaughtUp`. */
  get isBehind(): boolean {
    return this.pending > HIGH_WATER
  }

  /** Our own words. */
  text(text: string): void {
    this.write(text, 'utf8')
  }

  /** Our own bytes, one character a byte. */
  bytes(text: string): void {
    this.write(text, 'latin1')
  }

  private write(text: string, encoding: 'utf8' | 'latin1'): void {
    const most = text.length * (encoding === 'utf8' ? 3 : 1)
    if (most > BLOCK / 2) {
      const bytes = Buffer.from(text, encoding)
      this.raw(bytes, 0, bytes.length)
    } else {
      const at = this.room(most)
      this.used = at + this.block.write(text, at, encoding)
    }
  }

  /** Bytes[start..end) of our own making. */
  raw(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (size > BLOCK / 2) {
      // Large pieces go out by themselves: their owner may reuse the memory, so they are copied once, at their size.
      this.flush()
      this.send(Buffer.from(bytes.subarray(start, end)), false)
      return
    }
    const at = this.room(size)
    if (size < 32) for (let i = 0; i < size; i++) this.block[at + i] = bytes[start + i] as number
    else this.block.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at)
    this.used = at + size
  }

  /** Text that came from the broker, with the escapes that `escaping` asks for. */
  shown(text: string): string {
    return this.escaping ? escapeControls(Buffer.from(text)) : text
  }

  /** Text that came from the broker. */
  receivedText(text: string): void {
    this.text(this.shown(text))
  }

  /** Bytes that came from the broker, one character a byte. */
  receivedBytes(text: string): void {
    if (this.escaping) this.text(escapeControls(Buffer.from(text, 'latin1')))
    else this.bytes(text)
  }

  /** Bytes[start..end) that came from the broker. */
  received(bytes: Uint8Array, start: number, end: number): void {
    if (!this.escaping) this.raw(bytes, start, end)
    else this.text(escapeControls(bytes.subarray(start, end)))
  }

  /** Room for `size` bytes, at most a block, in the present block; returns where it begins. */
  private room(size: number): number {
    if (this.used + size > BLOCK) this.flush()
    if (!this.isScheduled) {
      this.isScheduled = true
      setImmediate(() => {
        this.isScheduled = false
        this.flush()
      })
    }
    return this.used
  }

  /** Hands over what has been collected. */
  flush(): void {
    if (this.used === 0) return
    const full = this.block.subarray(0, this.used)
    this.used = 0
    this.block = this.spare ?? Buffer.allocUnsafeSlow(BLOCK)
    this.spare = undefined
    this.send(full, true)
  }

  private send(bytes: Buffer, reusable: boolean): void {
    if (this.isClosed) return
    this.beforeWrite()
    this.isLineOpen = bytes[bytes.length - 1] !== NEWLINE
    this.pending += bytes.length
    this.stream.write(bytes, () => {
      if (reusable && this.spare === undefined) this.spare = Buffer.from(bytes.buffer, 0, BLOCK)
      const wasBehind = this.isBehind
      this.pending -= bytes.length
      if (wasBehind && !this.isBehind) this.onCaughtUp()
      if (this.pending === 0) this.settle()
    })
  }

  /** Calls `done` when everything written so far has reached the reader, or the reader is gone. */
  whenWritten(done: () => void): void {
    this.flush()
    this.waiting.push(done)
    if (this.pending === 0 || this.isClosed) this.settle()
  }

  private settle(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const done of waiting) done()
  }

  private close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.settle()
    this.onClosed()
  }
}

/**
 * Text for a terminal: `bytes` as UTF-8, with control characters, C1 controls and bytes that are no UTF-8 written as `\xNN`.
 * Newlines and tabs stay.
 */
export function escapeControls(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte < 0x80 && !isControl(byte))) return Buffer.from(bytes).toString('latin1')
  const source = Buffer.from(bytes)
  let text = ''
  for (let at = 0; at < source.length; ) {
    const size = sequenceSize(source, at)
    const first = source[at] as number
    const isC1 = size === 2 && first === 0xc2 && (source[at + 1] as number) < 0xa0
    const end = at + Math.max(size, 1)
    if (size > 0 && !isC1 && !isControl(first)) text += source.toString('utf8', at, end)
    else for (const byte of source.subarray(at, end)) text += `\\x${byte.toString(16).padStart(2, '0')}`
    at = end
  }
  return text
}

/** Bytes of the UTF-8 sequence at bytes[at], 0 when there is none. */
function sequenceSize(bytes: Buffer, at: number): number {
  const first = bytes[at] as number
  if (first < 0x80) return 1
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  return first >= 0xc2 && at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)) ? size : 0
}
