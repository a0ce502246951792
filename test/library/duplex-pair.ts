// Two streams in memory: what is written to one is read from the other.

import { Duplex } from 'node:stream'

class Side extends Duplex {
  other: Side | undefined = undefined

  constructor() {
    super({ allowHalfOpen: false })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.other?.push(chunk)
    done()
  }

  override _final(done: () => void): void {
    this.other?.push(null)
    done()
  }
}

export function duplexPair(): readonly [Duplex, Duplex] {
  const [one, two] = [new Side(), new Side()]
  one.other = two
  two.other = one
  return [one, two]
}
