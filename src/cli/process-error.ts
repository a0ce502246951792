// What ends the broker's process before or while it starts, apart from its listeners and access files: with which status is decided
// where it is caught.

export type ProcessFault =
  /** A value from outside that means nothing. */
  | 'invalid'
  /** The system refuses. */
  | 'system'

export class ProcessError extends Error {
  override readonly name = 'ProcessError'
  readonly fault: ProcessFault

  constructor(fault: ProcessFault, message: string) {
    super(message)
    this.fault = fault
  }
}
