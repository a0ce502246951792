// The file that holds the number of the process while it runs.

import { unlinkSync, writeFileSync } from 'node:fs'
import { ProcessError } from './process-error.js'

/** Writes it and returns how to remove it. Throws ProcessError when it cannot be written. */
export function writePidFile(path: string): () => void {
  try {
    writeFileSync(path, String(process.pid))
  } catch (error) {
    throw new ProcessError('system', `cannot write pid_file: ${error instanceof Error ? error.message : error}`)
  }
  return () => {
    try {
      unlinkSync(path)
    } catch {
      // Somebody has removed it already, or the folder is not ours: nothing can be done about it any more.
    }
  }
}
