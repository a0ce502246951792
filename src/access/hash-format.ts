// What the families of password hashes share when they read their encoded form: the error for a field that is not one of
// theirs, and strict base64. Messages never repeat the field, it may be a plain password.

/** An encoded password that cannot be used; the message says what is wrong with it, without showing it. */
export class HashFormatError extends Error {
  override readonly name = 'HashFormatError'
}

/** Decodes standard base64 with `=` padding. Throws HashFormatError for anything else or when the length is none of `lengths` bytes. */
export function decodeBase64(text: string, what: string, lengths: readonly number[]): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new HashFormatError(`the ${what} is not valid base64`)
  if (!lengths.includes(bytes.length))
    throw new HashFormatError(`the ${what} has ${bytes.length} bytes instead of ${lengths.join(' or ')}`)
  return bytes
}

/** Reads a decimal number without sign. Throws HashFormatError when it is none or outside `min`..`max`. */
export function decodeCount(text: string, what: string, min: number, max: number): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw new HashFormatError(`the ${what} is not a number from ${min} to ${max}`)
  return value
}
