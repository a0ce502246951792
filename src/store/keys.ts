// TABLE of what a store holds, by the first byte of the key. Behind it stand numbers of 48 bits, high byte first, that the broker
// gives out: two for what belongs to a session, one for the rest. The order of the tables is the order of restoring.

export const Table = {
  /** Number: the last batch that was written. */
  HEAD: 0,
  /** Session number: who it belongs to, how long it lives. */
  SESSION: 1,
  /** Session number: what it owes and is owed besides its queue. */
  PROGRESS: 2,
  /** Session number, number. */
  SUBSCRIPTION: 3,
  /** Number: a message that several deliveries refer to. */
  MESSAGE: 4,
  /** Session number, place of the first: deliveries, one behind the other. */
  SEGMENT: 5,
  /** Number. */
  RETAINED: 6,
  /** Number: a will, of a client that is connected or has left it to wait for its delay. */
  WILL: 7,
  /** Number: one value that a plugin keeps. */
  PLUGIN_STATE: 8,
} as const

export type Table = (typeof Table)[keyof typeof Table]

/** A key of a record that is numbered by itself. */
export function key(table: Table, number: number): Buffer {
  const bytes = Buffer.allocUnsafe(7)
  bytes[0] = table
  bytes.writeUIntBE(number, 1, 6)
  return bytes
}

/** A key of a record that belongs to a session. */
export function sessionKey(table: Table, session: number, number: number): Buffer {
  const bytes = Buffer.allocUnsafe(13)
  bytes[0] = table
  bytes.writeUIntBE(session, 1, 6)
  bytes.writeUIntBE(number, 7, 6)
  return bytes
}

/** The number right behind the table: of the session, or of the record itself. */
export function firstNumber(bytes: Buffer): number {
  return bytes.readUIntBE(1, 6)
}

/** The number within the session. */
export function secondNumber(bytes: Buffer): number {
  return bytes.readUIntBE(7, 6)
}
