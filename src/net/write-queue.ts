// What all connections of a process share for writing: a pool of 16 KiB blocks in which small packets gather, and the list of
// connections with something to send, flushed once per turn of the event loop. Nothing is allocated per flush. Where many have
// something, the flush waits for as long as the next turn adds to them, two turns at most: a turn finds only those of many senders
// that have sent since the last, and fewer writes carry more.

/** Bytes of a block. */
export const WRITE_BLOCK = 16_384

/** Connections with a block of their own before the flush comes early, so that a wide fan-out does not hold memory for all. */
const MOST_DIRTY = 2048
/** Connections with something to send whose flush may wait for the next turn, */
const CROWD = 8
/** and how often. */
const MOST_WAITS = 2
/** Free blocks kept for reuse. */
const KEPT_BLOCKS = 1024

/** What gathers packets and is flushed: a connection. */
export interface Flushable {
  flush(): void
  /** `size` bytes it wrote have left. */
  onWritten(size: number): void
}

/** A block and, while it is being written, who writes it. `done` is made once, so that a write allocates no callback. */
export class WriteBlock {
  readonly bytes = Buffer.allocUnsafeSlow(WRITE_BLOCK)
  readonly view = new DataView(this.bytes.buffer)
  writer: Flushable | undefined = undefined
  size = 0
  readonly done: () => void

  constructor(queue: WriteQueue) {
    this.done = () => {
      const writer = this.writer
      this.writer = undefined
      queue.give(this)
      writer?.onWritten(this.size)
    }
  }
}

export class WriteQueue {
  /** Called before connections are flushed: for who gathers for several of them. */
  beforeFlush: () => void = () => {}
  private readonly blocks: WriteBlock[] = []
  private dirty: Flushable[] = []
  private spare: Flushable[] = []
  private isScheduled = false
  private waits = 0
  /** Connections that had something to send at the end of the last turn. */
  private waited = 0
  private readonly onTurn = () => {
    const count = this.dirty.length
    if (count >= CROWD && count > this.waited && this.waits < MOST_WAITS) {
      this.waits++
      this.waited = count
      setImmediate(this.onTurn)
    } else {
      this.waits = this.waited = 0
      this.flushAll()
    }
  }
  private readonly flushAll = () => {
    this.beforeFlush()
    this.isScheduled = false
    const list = this.dirty
    this.dirty = this.spare
    for (const connection of list) connection.flush()
    list.length = 0
    this.spare = list
  }

  take(): WriteBlock {
    return this.blocks.pop() ?? new WriteBlock(this)
  }

  give(block: WriteBlock): void {
    if (this.blocks.length < KEPT_BLOCKS) this.blocks.push(block)
  }

  /** Has `connection` flushed when this turn of the event loop is over. Call once until it is. */
  schedule(connection: Flushable): void {
    this.dirty.push(connection)
    if (this.dirty.length >= MOST_DIRTY) this.flushAll()
    else this.wake()
  }

  /** Has `beforeFlush` called when this turn of the event loop is over, whether or not a connection has something to send. */
  wake(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(this.onTurn)
  }
}
