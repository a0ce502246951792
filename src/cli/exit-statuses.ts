// TABLE: the exit statuses that scripts can rely on, for the code, `--exit-codes` and the manual pages (spec: pub.md sections 8 and
// 9, sub.md section 7, passwd.md section 9, features.md C). Reason codes of MQTT (128 and above) are used as they are.

export type Command = 'tsmq' | 'tsmq-pub' | 'tsmq-sub' | 'tsmq-passwd'

interface ExitStatusRow {
  readonly status: number
  readonly name: string
  readonly commands: readonly Command[]
  /** What it means, as a sentence without its end. */
  readonly text: string
}

const CLIENTS = ['tsmq-pub', 'tsmq-sub'] as const

// biome-ignore format: one row a line
export const exitStatuses = [
  { status: 0, name: 'ok', commands: ['tsmq', 'tsmq-pub', 'tsmq-sub', 'tsmq-passwd'], text: 'Everything that was asked for is done' },
  { status: 1, name: 'failure', commands: ['tsmq', 'tsmq-pub', 'tsmq-sub', 'tsmq-passwd'], text: 'Wrong usage, or a file that cannot be used' },
  { status: 2, name: 'protocol', commands: CLIENTS, text: 'The broker sent what MQTT forbids' },
  { status: 2, name: 'password_mismatch', commands: ['tsmq-passwd'], text: 'The two passwords differ' },
  { status: 3, name: 'invalid', commands: ['tsmq'], text: 'An error in a configuration, password or ACL file' },
  { status: 3, name: 'wrong_password', commands: ['tsmq-passwd'], text: 'The password is not that of the user' },
  { status: 6, name: 'not_found', commands: ['tsmq-passwd'], text: 'There is no such user' },
  { status: 7, name: 'connection_lost', commands: CLIENTS, text: 'The connection was lost or ended by the broker, or the broker does not take the message: too large, or a QoS above its maximum' },
  { status: 10, name: 'not_supported', commands: ['tsmq-passwd'], text: 'The algorithm of -H is not available on this machine' },
  { status: 12, name: 'acl_denied', commands: ['tsmq'], text: 'The access that was asked about is denied' },
  { status: 13, name: 'unopenable', commands: ['tsmq'], text: 'A file named in the configuration cannot be opened' },
  { status: 14, name: 'system', commands: ['tsmq'], text: 'The system refused what the broker needs' },
  { status: 16, name: 'proxy', commands: CLIENTS, text: 'The proxy was not reached, or did not connect' },
  { status: 19, name: 'keep_alive', commands: CLIENTS, text: 'The broker did not answer within the keep alive' },
  { status: 27, name: 'timeout', commands: CLIENTS, text: 'Timed out: with -W, or without an answer to CONNECT within --connect-timeout' },
  { status: 65, name: 'unexpected', commands: ['tsmq', 'tsmq-sub'], text: 'An expectation is not met' },
  { status: 66, name: 'no_subscriber', commands: ['tsmq-pub'], text: 'Nobody has subscribed to the topic, with --require-subscriber' },
  { status: 69, name: 'tcp', commands: CLIENTS, text: 'No connection to host and port, or to the Unix socket' },
  { status: 70, name: 'broker_died', commands: ['tsmq'], text: 'The broker of --run has died' },
  { status: 71, name: 'dns', commands: CLIENTS, text: 'The name of the host was not found' },
  { status: 72, name: 'tls', commands: CLIENTS, text: 'The TLS handshake failed, or a certificate was not accepted' },
  { status: 73, name: 'websocket', commands: CLIENTS, text: 'The WebSocket handshake failed' },
  { status: 74, name: 'round_trip', commands: ['tsmq-pub'], text: 'The message did not come back, with --confirm or --round-trip' },
  { status: 130, name: 'interrupted', commands: ['tsmq-pub', 'tsmq-passwd'], text: 'Ended with Ctrl-C (SIGINT)' },
  { status: 130, name: 'interrupted_early', commands: ['tsmq-sub'], text: 'Ended with Ctrl-C (SIGINT) while something was expected' },
  { status: 143, name: 'terminated', commands: ['tsmq-pub', 'tsmq-passwd'], text: 'Ended with SIGTERM' },
  { status: 143, name: 'terminated_early', commands: ['tsmq-sub'], text: 'Ended with SIGTERM while something was expected' },
  { status: 255, name: 'before_connected', commands: ['tsmq-sub'], text: 'Ended by a signal or -W before the broker had accepted the connection' },
] as const satisfies readonly ExitStatusRow[]

type Row = (typeof exitStatuses)[number]

/** The statuses by name. */
export const EXIT_STATUS = Object.fromEntries(exitStatuses.map(({ name, status }) => [name, status])) as {
  readonly [R in Row as R['name']]: R['status']
}

/** The rows of one command, and those in which a broker speaks. */
export function exitStatusesOf(command: Command): readonly (readonly [status: string, text: string])[] {
  const rows: readonly ExitStatusRow[] = exitStatuses
  const own = rows.filter(({ commands }) => commands.includes(command))
  const listed = own.map(({ status, text }) => [String(status), text] as const)
  if (command === 'tsmq' || command === 'tsmq-passwd') return listed
  const [ok = ['', ''], failure = ['', ''], ...others] = listed
  const first = others.findIndex(([status]) => Number(status) >= 130)
  return [ok, failure, REFUSALS, ...others.slice(0, first), REASONS, ...others.slice(first)]
}

const REFUSALS = [
  '1-5',
  'An MQTT 3.x broker refused the connection with this return code: 1 protocol version, 2 client identifier, 3 unavailable, 4 user name or password, 5 not authorized',
] as const
const REASONS = [
  '128-162',
  'The MQTT 5.0 reason code with which the broker refused the connection, a message or a subscription, for instance 132 protocol version, 133 client identifier, 134 bad user name or password, 135 not authorized, 151 quota exceeded',
] as const
