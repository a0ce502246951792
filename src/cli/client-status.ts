// TABLE: the exit status that each way to fail has in tsmq-pub and tsmq-sub (spec: pub.md sections 8 and 9, features.md C).

import type { ClientError, ClientErrorKind } from '../client/client-error.js'
import { DialError, type DialStage } from '../net/dial.js'
import { EXIT_STATUS } from './exit.js'

/** 'code': the reason code itself. 'stage': how far the connection had come. */
const STATUS: Readonly<Record<ClientErrorKind, number | 'code' | 'stage'>> = {
  connect: 'stage',
  timeout: EXIT_STATUS.timeout,
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

const STAGE_STATUS: Readonly<Record<DialStage, number>> = {
  lookup: EXIT_STATUS.dns,
  connect: EXIT_STATUS.tcp,
  proxy: EXIT_STATUS.proxy,
  tls: EXIT_STATUS.tls,
  websocket: EXIT_STATUS.websocket,
}

export function statusOf(error: ClientError): number {
  const status = STATUS[error.kind]
  if (status === 'stage') return error.cause instanceof DialError ? STAGE_STATUS[error.cause.stage] : EXIT_STATUS.tcp
  return status === 'code' ? error.reasonCode : status
}
