// Answers that are there at once or come later.

export type Soon<T> = T | Promise<T>

/** Also for promises that are not Node's own. */
export function isPromise<T>(value: Soon<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** Goes on with an answer, at once if it is there. */
export function andThen<T, U>(answer: Soon<T>, use: (answer: T) => Soon<U>): Soon<U> {
  return isPromise(answer) ? answer.then(use) : use(answer)
}
