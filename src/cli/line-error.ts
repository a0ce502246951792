// What is wrong with one line of many that were to be published.

/** A line that cannot be published; `message` says why. */
export class LineError extends Error {
  override readonly name = 'LineError'
}
