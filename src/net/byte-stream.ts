// What a connection writes to and is read from: as much of Node's streams as it needs, so that an accepted socket need not be one.

export interface ByteStream {
  /** False once it has been ended or destroyed. */
  readonly writable: boolean
  readonly destroyed: boolean
  /** Not to be changed until `done` is called, which it is once, whatever happens, and not before `write` returns. */
  write(bytes: Buffer, done?: () => void): unknown
  /** What is written from now on leaves together, with `uncork`. */
  cork(): void
  uncork(): void
  pause(): unknown
  resume(): unknown
  /** Closes this side behind everything that was written; the connection is over when the other side has ended too. */
  end(done?: () => void): unknown
  destroy(error?: Error): unknown
  /** Of TCP: whether small segments leave at once. */
  setNoDelay?(isOn: boolean): unknown
  /** An error ends it; `close` follows. */
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close', listener: () => void): unknown
  /** The other side has ended. To be heard before this side is ended too, which it is at once where nobody listens. */
  prependListener(event: 'end', listener: () => void): unknown
}
