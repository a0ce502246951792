// TABLE: the exit status that each way to fail has in tsmq-pub and tsmq-sub (spec: pub.md sections 8 and 9).

import type { ClientError, ClientErrorKind } from '../client/client-error.js'
import { EXIT_STATUS } from './exit.js'

/** 'code': the reason code itself. */
const STATUS: Readonly<Record<ClientErrorKind, number | 'code'>> = {
  connect: EXIT_STATUS.failure,
  refused: 'code',
  lost: EXIT_STATUS.connection_lost,
  disconnected: EXIT_STATUS.connection_lost,
  protocol: EXIT_STATUS.protocol,
  'keep alive': EXIT_STATUS.keep_alive,
  'publish refused': 'code',
  // mosquitto_pub sends such a message all the same and loses the connection for it.
  'not supported': EXIT_STATUS.connection_lost,
  invalid: EXIT_STATUS.connection_lost,
  stopped: EXIT_STATUS.ok,
}

export function statusOf(error: ClientError): number {
  const status = STATUS[error.kind]
  return status === 'code' ? error.reasonCode : status
}
