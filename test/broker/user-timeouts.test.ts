// bridge_tcp_user_timeout: what a look at the system's account of a connection means, with an account and a clock that the test moves.

import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { UserTimeouts } from '../../src/broker/bridge/user-timeouts.js'
import type { ConnectionEnds, SendQueue } from '../../src/net/tcp-table.js'
import { until } from '../support/until.js'

const LIMIT = 5000

/** A socket of which nothing is real but its ends and what the system has taken from it. */
class Sender {
  localAddress?: string = '192.0.2.1'
  localPort?: number = 50_000
  remoteAddress?: string = '192.0.2.2'
  remotePort?: number = 1883
  taken = 0
  acknowledged = 0
  isRetrying = false
  isListed = true
  /** How often its time was up. */
  timeouts = 0

  get _handle() {
    return { bytesWritten: this.taken + 1000, writeQueueSize: 1000 }
  }

  get socket(): Socket {
    return this as unknown as Socket
  }

  get queue(): SendQueue | undefined {
    const { isRetrying, isListed } = this
    return isListed ? { unacknowledged: this.taken - this.acknowledged, isRetrying } : undefined
  }
}

class Scene {
  now = 0
  looks = 0
  faults: string[] = []
  fault: Error | undefined = undefined
  /** What happens while the account is read, before and after the system has written it. */
  beforehand: () => void = () => {}
  meanwhile: () => void = () => {}
  readonly timeouts: UserTimeouts
  private readonly senders: Sender[] = []
  private isLooking = false

  constructor() {
    const read = (all: readonly ConnectionEnds[]) => this.read(all)
    this.timeouts = new UserTimeouts(
      read,
      () => this.now,
      ({ message }) => this.faults.push(message),
    )
  }

  private async read(all: readonly ConnectionEnds[]): Promise<readonly (SendQueue | undefined)[]> {
    this.looks++
    this.isLooking = true
    this.beforehand()
    const queues = all.map((ends) => this.senders.find(({ localPort }) => localPort === ends.localPort)?.queue)
    this.meanwhile()
    await Promise.resolve()
    this.isLooking = false
    if (this.fault !== undefined) throw this.fault
    return queues
  }

  watch(limit = LIMIT): { readonly sender: Sender; readonly end: () => void } {
    const sender = new Sender()
    sender.localPort = 50_000 + this.senders.length
    this.senders.push(sender)
    const end = this.timeouts.watch(sender.socket, limit, () => {
      sender.timeouts++
      end()
    })
    return { sender, end }
  }

  /** Has `seconds` pass, with a tick after each half, and `each` called before each whole one. */
  async pass(seconds: number, each: () => void = () => {}): Promise<void> {
    for (let half = 0; half < seconds * 2; half++) {
      if (half % 2 === 0) each()
      this.now += 500
      this.timeouts.tick(this.now)
      await until(() => !this.isLooking, 'the end of a look')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

test('what is not acknowledged at all: once, and not before the time is up', async () => {
  const scene = new Scene()
  const { sender } = scene.watch()
  sender.taken = 100
  sender.isRetrying = true
  await scene.pass(5)
  assert.equal(sender.timeouts, 0)
  await scene.pass(1)
  assert.equal(sender.timeouts, 1)
  await scene.pass(20)
  assert.equal(sender.timeouts, 1)
})

/** What becomes of a connection in a minute: called before each second. */
const cases: readonly { readonly name: string; readonly second: (sender: Sender) => void; readonly ends: boolean }[] = [
  { name: 'nothing is sent', second: () => {}, ends: false },
  {
    name: 'bursts, each of which is acknowledged before the next',
    second: (sender) => {
      sender.acknowledged = sender.taken
      sender.taken += 100_000
    },
    ends: false,
  },
  {
    name: 'a slow reader: its window is closed at each look, and as much as it takes is sent again',
    second: (sender) => {
      sender.taken = Math.max(sender.taken, 100_000) + 1000
      sender.acknowledged += 1000
      sender.isRetrying = true
    },
    ends: false,
  },
  {
    name: 'a slow reader of one large message',
    second: (sender) => {
      sender.taken = 100_000
      sender.acknowledged += 1000
      sender.isRetrying = true
    },
    ends: false,
  },
  {
    name: 'a line that loses much: something is sent again at each look',
    second: (sender) => {
      sender.acknowledged = sender.taken
      sender.taken += 10
      sender.isRetrying = true
    },
    ends: false,
  },
  {
    name: 'a line so long that the answer is not due yet',
    second: (sender) => {
      sender.taken = 100
      sender.isRetrying = false
    },
    ends: false,
  },
  {
    name: 'nobody answers, and more and more is sent',
    second: (sender) => {
      sender.taken += 1000
      sender.isRetrying = true
    },
    ends: true,
  },
  {
    name: 'a reader that stops after a while',
    second: (sender) => {
      sender.taken += 1000
      sender.acknowledged = Math.min(sender.taken - 1, 20_000)
      sender.isRetrying = true
    },
    ends: true,
  },
  {
    name: 'a reader that takes a byte every four seconds',
    second: (sender) => {
      sender.taken = 100_000
      sender.acknowledged += 0.25
      sender.isRetrying = true
    },
    ends: false,
  },
  {
    name: 'a connection that is not listed',
    second: (sender) => {
      sender.taken = 100
      sender.isListed = false
    },
    ends: false,
  },
  {
    name: 'a Unix socket',
    second: (sender) => {
      sender.taken = 100
      sender.isRetrying = true
      delete sender.localPort
      delete sender.remotePort
    },
    ends: false,
  },
]

for (const { name, second, ends } of cases)
  test(`${name}: ${ends ? 'ended' : 'goes on'}`, async () => {
    const scene = new Scene()
    const { sender } = scene.watch()
    await scene.pass(60, () => second(sender))
    assert.equal(sender.timeouts, ends ? 1 : 0)
  })

test('a line missing at one look, and an account that cannot be read for a while, change nothing', async () => {
  const scene = new Scene()
  const { sender } = scene.watch()
  sender.taken = 100
  sender.isRetrying = true
  await scene.pass(2)
  sender.isListed = false
  await scene.pass(1)
  sender.isListed = true
  scene.fault = new Error('no')
  await scene.pass(2)
  assert.equal(sender.timeouts, 0)
  assert.deepEqual(scene.faults, ['no'])
  scene.fault = undefined
  await scene.pass(1)
  assert.equal(sender.timeouts, 1)
  assert.deepEqual(scene.faults, ['no'])
})

test('an account that cannot be read is told of again after it could be', async () => {
  const scene = new Scene()
  scene.watch().sender.taken = 1
  scene.fault = new Error('one')
  await scene.pass(3)
  scene.fault = undefined
  await scene.pass(1)
  scene.fault = new Error('two')
  await scene.pass(3)
  assert.deepEqual(scene.faults, ['one', 'two'])
})

test('what is taken while the account is read counts neither as acknowledged nor as not', async () => {
  const scene = new Scene()
  const { sender } = scene.watch()
  sender.taken = 100
  sender.isRetrying = true
  let more = 0
  scene.meanwhile = () => {
    more += 10
    sender.taken += more
  }
  await scene.pass(6)
  assert.equal(sender.timeouts, 1)
})

test('what is taken just before the account is written does not pass for acknowledged at the next look', async () => {
  const scene = new Scene()
  const { sender } = scene.watch()
  sender.taken = 100
  sender.isRetrying = true
  scene.beforehand = () => {
    sender.taken = 150
  }
  await scene.pass(6)
  assert.equal(sender.timeouts, 1)
})

test('less is acknowledged than was taken while the account was read', async () => {
  const scene = new Scene()
  const { sender } = scene.watch()
  sender.taken = 100
  sender.isRetrying = true
  await scene.pass(1)
  scene.meanwhile = () => {
    sender.taken = 110
  }
  await scene.pass(1)
  sender.acknowledged = 5
  await scene.pass(5)
  assert.equal(sender.timeouts, 0)
  await scene.pass(1)
  assert.equal(sender.timeouts, 1)
})

test('what is taken while the account says that nothing waits is looked at again', async () => {
  const scene = new Scene()
  const { sender } = scene.watch()
  sender.taken = sender.acknowledged = 100
  sender.isRetrying = true
  scene.meanwhile = () => {
    sender.taken = 110
  }
  await scene.pass(7)
  assert.equal(sender.timeouts, 1)
})

test('the time that a look takes does not count', async () => {
  const scene = new Scene()
  const { sender } = scene.watch()
  sender.taken = 100
  sender.isRetrying = true
  scene.meanwhile = () => {
    scene.now += LIMIT
    scene.meanwhile = () => {}
  }
  await scene.pass(5)
  assert.equal(sender.timeouts, 0)
  await scene.pass(1)
  assert.equal(sender.timeouts, 1)
})

test('the account is read once a second for all, for those only that may wait, and not where nobody is watched', async () => {
  const scene = new Scene()
  await scene.pass(3)
  assert.equal(scene.looks, 0)
  const all = [scene.watch(), scene.watch(), scene.watch()] as const
  await scene.pass(3)
  assert.equal(scene.looks, 0)
  for (const { sender } of all) sender.taken = 100
  await scene.pass(3)
  assert.equal(scene.looks, 3)
  for (const { sender } of all) sender.acknowledged = 100
  await scene.pass(10)
  assert.equal(scene.looks, 4)
  all[1].sender.taken = 101
  await scene.pass(1)
  assert.equal(scene.looks, 5)
  for (const { end } of all) end()
  await scene.pass(3)
  assert.equal(scene.looks, 5)
})

test('one that is ended while the account is read hears nothing; the others do', async () => {
  const scene = new Scene()
  const [one, two] = [scene.watch(1000), scene.watch(1000)]
  for (const { sender } of [one, two]) {
    sender.taken = 1
    sender.isRetrying = true
  }
  await scene.pass(1)
  scene.meanwhile = one.end
  await scene.pass(2)
  assert.deepEqual([one.sender.timeouts, two.sender.timeouts], [0, 1])
})

test('a limit below the distance of two looks', async () => {
  const scene = new Scene()
  const { sender } = scene.watch(1)
  sender.taken = 1
  sender.isRetrying = true
  await scene.pass(1)
  assert.equal(sender.timeouts, 0)
  await scene.pass(1)
  assert.equal(sender.timeouts, 1)
})
