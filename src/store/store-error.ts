// The one error of this room.

/** What went wrong, as far as somebody can do something about it. */
export type StoreFault =
  /** Another process uses the store. */
  | 'in use'
  /** It was written by another program, or by a tsmq that is newer. */
  | 'foreign'
  /** What it holds cannot be read. */
  | 'damaged'
  /** The system refuses: rights, space, hardware. */
  | 'system'

/** The store cannot be opened or used; `message` names its file. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly fault: StoreFault

  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, { cause })
    this.fault = fault
  }
}
