// The words of the command line, byte for byte. Node turns what is not UTF-8 into U+FFFD; Linux still has the bytes.

import { readFileSync } from 'node:fs'
import { textOfBytes } from '../options/text.js'

/** The words behind node and script; bytes that are not UTF-8 as `textOfBytes` writes them. */
export function rawArguments(
  { argv }: { readonly argv: readonly string[] },
  file = '/proc/self/cmdline',
): readonly string[] {
  const words = argv.slice(2)
  if (!words.some((word) => word.includes('\ufffd'))) return words
  try {
    const raw = readFileSync(file)
    const all: string[] = []
    for (let at = 0; at < raw.length; ) {
      const found = raw.indexOf(0, at)
      const end = found < 0 ? raw.length : found
      all.push(textOfBytes(raw.subarray(at, end)))
      at = end + 1
    }
    return all.slice(all.length - words.length)
  } catch {
    // Not Linux.
    return words
  }
}
