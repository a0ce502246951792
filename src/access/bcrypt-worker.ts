// The worker thread behind BcryptWorkers: computes one bcrypt hash per message. A build entry of its own, started by file name.
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { hashSync } from 'bcryptjs'
import type { BcryptJob, BcryptResult } from './bcrypt-workers.js'

// On Linux priorities belong to threads, so that a storm of logins leaves the processor to the messages of connected clients.
if (process.platform === 'linux') {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // A sandbox may forbid it; the work is the same.
  }
}

parentPort?.on('message', ({ password, salt }: BcryptJob) => {
  let result: BcryptResult
  try {
    result = { hash: hashSync(password, salt) }
  } catch (error) {
    result = { error: String(error) }
  }
  parentPort?.postMessage(result)
})
