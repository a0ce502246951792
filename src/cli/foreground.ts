// Whether the terminal is this process's to draw on: a shell may have put it in the background, or others may write there too.

import { fstatSync, readFileSync } from 'node:fs'
import { isatty } from 'node:tty'

/** Not put into the background by a shell with job control. Only Linux tells; elsewhere it is taken for granted. */
export function isInForeground(file = '/proc/self/stat'): boolean {
  try {
    const stat = readFileSync(file, 'latin1')
    // proc(5): behind the name, in parentheses, are state, parent, process group, session, terminal and its foreground group.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return foreground === '-1' || foreground === group
  } catch {
    return true
  }
}

/**
 * In the foreground, and nobody reads what is printed, who might print in turn. Without job control, as in a script, what runs in the
 * background has no terminal to read from.
 */
export function hasTerminalToItself(): boolean {
  const output = fstatSync(1)
  return isatty(0) && !output.isFIFO() && !output.isSocket() && isInForeground()
}
