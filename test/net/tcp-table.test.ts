// Lines of /proc/net/tcp and tcp6 as Linux has written them, and what they say of one connection.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectionEnds, type SendQueue, sendQueueIn } from '../../src/net/tcp-table.js'

const TITLE =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n'

function ends(localAddress: string, localPort: number, remoteAddress: string, remotePort: number): ConnectionEnds {
  return { localAddress, localPort, remoteAddress, remotePort }
}

const LOOPBACK = ends('127.0.0.1', 0xa586, '127.0.0.1', 0xa465)
const nothing: SendQueue = { unacknowledged: 0, isRetrying: false }

interface Case {
  readonly name: string
  readonly lines: string
  readonly of: ConnectionEnds
  readonly order?: 'BE' | 'LE'
  readonly found: SendQueue | undefined
}

const cases: readonly Case[] = [
  {
    name: 'nothing waits',
    lines:
      '   0: 0100007F:A586 0100007F:A465 01 00000000:00000000 00:00000000 00000000     0        0 11763301 2 00000000b0a1360f 20 0 0 18 -1\n',
    of: LOOPBACK,
    found: nothing,
  },
  {
    name: 'sent, and the answer is not due yet',
    lines:
      ' 789: 0100007F:A586 0100007F:A465 01 0038D286:00000000 01:00000014 00000000     0        0 11649287 2 0000000070b81070 20 0 0 18 -1\n',
    of: LOOPBACK,
    found: { unacknowledged: 0x38d286, isRetrying: false },
  },
  {
    name: 'sent again',
    lines:
      '   2: 0100007F:A586 0100007F:A465 01 000001F4:00000000 01:0000000E 00000001     0        0 11763301 2 00000000b0a1360f 40 0 0 1 -1\n',
    of: LOOPBACK,
    found: { unacknowledged: 500, isRetrying: true },
  },
  {
    name: 'the window is closed, the number of the line has four digits',
    lines:
      '2936: 0100007F:A586 0100007F:A465 01 0039DA86:00000000 04:0000000F 00000000     0        1 11644805 2 000000007612b882 20 0 0 15 -1\n',
    of: LOOPBACK,
    found: { unacknowledged: 0x39da86, isRetrying: true },
  },
  {
    name: 'keep alive runs',
    lines:
      '   2: 0100007F:A586 0100007F:A465 01 00000000:00000000 02:00000B4C 00000000     0        0 11763301 2 00000000b0a1360f 20 4 30 10 -1\n',
    of: LOOPBACK,
    found: nothing,
  },
  {
    name: 'a timer for something else',
    lines:
      '   2: 0100007F:A586 0100007F:A465 01 00000001:00000000 02:00000B4C 00000001     0        0 11763301 2 00000000b0a1360f 20 4 30 10 -1\n',
    of: LOOPBACK,
    found: { unacknowledged: 1, isRetrying: false },
  },
  {
    name: 'TIME_WAIT, whose line ends early',
    lines:
      '   2: 0100007F:A586 0100007F:A465 06 00000000:00000000 03:000016C5 00000000     0        0 0 3 00000000b0a1360f\n',
    of: LOOPBACK,
    found: nothing,
  },
  {
    name: 'among others: who listens, the other end, the same ports of other addresses, a port that ends alike',
    lines:
      '   0: 00000000:A465 00000000:0000 0A 00000000:00000005 04:00000000 00000009     0        0 1587 1 000000003ef66b5c 100 0 0 10 0\n' +
      '   1: 0100007F:A465 0100007F:A586 01 00000001:00000000 04:00000000 00000001     0        0 1 1 0 20 8 0 10 -1\n' +
      '   2: 0200007F:A586 0100007F:A465 01 00000002:00000000 04:00000000 00000001     0        0 1 1 0 20 8 0 10 -1\n' +
      '   3: 0100007F:A586 0200007F:A465 01 00000003:00000000 04:00000000 00000001     0        0 1 1 0 20 8 0 10 -1\n' +
      '   4: 0100007F:A587 0100007F:A465 01 00000004:00000000 04:00000000 00000001     0        0 1 1 0 20 8 0 10 -1\n' +
      '   5: 0100007F:A586 0100007F:A465 01 00000005:00000000 01:00000001 00000003     0        0 1 1 0 20 8 0 10 -1\n',
    of: LOOPBACK,
    found: { unacknowledged: 5, isRetrying: true },
  },
  {
    name: 'an address of four different bytes, a low port',
    lines:
      '   5: 0A0200C0:C001 0A6433C6:075B 01 00000010:00000000 01:00000001 00000003     0        0 1 1 0 20 8 0 10 -1\n',
    of: ends('192.0.2.10', 49153, '198.51.100.10', 1883),
    found: { unacknowledged: 16, isRetrying: true },
  },
  {
    name: 'the same on a machine that writes the first byte first',
    lines:
      '   5: C000020A:C001 C633640A:075B 01 00000010:00000000 01:00000001 00000003     0        0 1 1 0 20 8 0 10 -1\n',
    of: ends('192.0.2.10', 49153, '198.51.100.10', 1883),
    order: 'BE',
    found: { unacknowledged: 16, isRetrying: true },
  },
  {
    name: 'IPv6, shortened in the middle and at an end',
    lines:
      '   0: B80D0120000000000000000067452301:C001 00000000000000000000000001000000:075B 01 00000021:00000000 04:00000014 00000000     0        0 1 2 0 20 4 30 10 -1\n',
    of: ends('2001:db8::123:4567', 49153, '::1', 1883),
    found: { unacknowledged: 33, isRetrying: true },
  },
  {
    name: 'IPv6 in full, and shortened at the other end',
    lines:
      '   0: B80D01200201040305060708090A0B0C:0001 0000FE80000000000000000000000000:FFFF 01 00000001:00000000 00:00000000 00000000     0        0 1 2 0 20 4 30 10 -1\n',
    of: ends('2001:db8:304:102:807:605:c0b:a09', 1, '80fe::', 65535),
    found: { unacknowledged: 1, isRetrying: false },
  },
  {
    name: 'IPv6 with a zone, which the table does not have',
    lines:
      '   1: 000080FE00000000FF001254785634FE:C001 000080FE000000000000000002000000:075B 01 00000007:00000000 01:00000014 00000002     0        0 1 2 0 20 4 30 10 -1\n',
    of: ends('fe80::5412:ff:fe34:5678%eth0', 49153, 'fe80::2%eth0', 1883),
    found: { unacknowledged: 7, isRetrying: true },
  },
  {
    name: 'IPv6 on a machine that writes the first byte first',
    lines:
      '   0: 20010DB8000000000000000001234567:C001 00000000000000000000000000000001:075B 01 00000021:00000000 04:00000014 00000000     0        0 1 2 0 20 4 30 10 -1\n',
    of: ends('2001:db8::123:4567', 49153, '::1', 1883),
    order: 'BE',
    found: { unacknowledged: 33, isRetrying: true },
  },
  {
    name: 'IPv4 in an address of IPv6',
    lines:
      '   0: 0000000000000000FFFF00000100007F:C001 0000000000000000FFFF00000A6433C6:075B 01 00000008:00000000 01:00000014 00000001     0        0 1 2 0 20 4 30 10 -1\n',
    of: ends('::ffff:127.0.0.1', 49153, '::ffff:198.51.100.10', 1883),
    found: { unacknowledged: 8, isRetrying: true },
  },
  { name: 'an empty table', lines: '', of: LOOPBACK, found: undefined },
  { name: 'what is no address', lines: '   0: x\n', of: ends('x', 1, '', 2), found: undefined },
  {
    name: 'other columns than those that are known',
    lines: '   0: 0100007F:A586 0100007F:A465 01 zz:00000000 01:00000014 00000001     0\n',
    of: LOOPBACK,
    found: undefined,
  },
  {
    name: 'columns that are words',
    lines: '   0: 0100007F:A586 0100007F:A465 ESTABLISHED\n   1: 01 00000001:00000000 01:00000001 00000001 0\n',
    of: LOOPBACK,
    found: undefined,
  },
]

for (const { name, lines, of, order = 'LE', found } of cases)
  test(name, () => assert.deepEqual(sendQueueIn(TITLE + lines, of, order), found))

test('a line that is cut off anywhere is no line, or says the same', () => {
  const line =
    '   2: 0100007F:A586 0100007F:A465 01 000001F4:00000000 01:0000000E 00000001     0        0 11763301 2 00000000b0a1360f 40 0 0 1 -1\n'
  const answers = [...line].map((_, at) => sendQueueIn(TITLE + line.slice(0, at), LOOPBACK, 'LE'))
  const first = answers.findIndex((each) => each !== undefined)
  assert.equal(line.slice(0, first), '   2: 0100007F:A586 0100007F:A465 01 000001F4:00000000 01:0000000E 00000001 ')
  for (const answer of answers.slice(first)) assert.deepEqual(answer, { unacknowledged: 500, isRetrying: true })
})

test('a table of one long line without an end', () => {
  assert.equal(sendQueueIn(': 0100007F:A586 0100007F:A465 '.repeat(100_000), LOOPBACK, 'LE'), undefined)
})
