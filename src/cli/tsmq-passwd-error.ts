// What stops tsmq-passwd other than a wrong command line or a wrong file, with the status it ends with (spec: passwd.md section 9).
import { EXIT_STATUS } from './exit.js'

export class PasswdError extends Error {
  override readonly name = 'PasswdError'
  readonly status: number

  constructor(message: string, status: number = EXIT_STATUS.failure) {
    super(message)
    this.status = status
  }
}

/** The system's words for a failed call, after what was tried; `hint` says what to do. */
export function systemFailure(attempt: string, error: unknown, hint = ''): PasswdError {
  return new PasswdError(`${attempt}: ${error instanceof Error ? error.message : String(error)}${hint}`)
}
