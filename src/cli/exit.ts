// The way out of every command: the exit statuses scripts can rely on, and the only place that ends the process.
// Which status a failure has is decided where it is caught; reason codes of MQTT 5 (128 and above) are used as they are.

/** Exit statuses of the commands (spec: pub.md sections 8 and 9, passwd.md section 9); 128 and above are MQTT 5 reason codes. */
export const EXIT_STATUS = {
  ok: 0,
  /** Wrong usage, a file that cannot be used, no connection. */
  failure: 1,
  protocol: 2,
  /** tsmq-passwd: the two passwords differ. */
  password_mismatch: 2,
  /** tsmq: an error in a configuration, password or ACL file. */
  invalid: 3,
  not_connected: 4,
  refused: 5,
  not_found: 6,
  connection_lost: 7,
  tls: 8,
  payload_too_large: 9,
  not_supported: 10,
  authentication: 11,
  acl_denied: 12,
  /** tsmq: a file named in the configuration cannot be opened. */
  unopenable: 13,
  system: 14,
  lookup: 15,
  proxy: 16,
  malformed_utf8: 18,
  keep_alive: 19,
  malformed_packet: 21,
  tls_handshake: 23,
  qos_not_supported: 24,
  oversize_packet: 25,
  timeout: 27,
  /** tsmq-sub: ended by a signal or -W before the broker had accepted the connection. */
  before_connected: 255,
} as const

/** Ends the process with `status` (0..255) as soon as what was written to stdout has been handed over. */
export function exit(status: number): void {
  process.exitCode = status
  const { stdout } = process
  if (stdout.writableLength === 0) process.exit(status)
  stdout.once('error', () => process.exit(status))
  stdout.write('', () => process.exit(status))
}
