// The store of retained messages against a plain map, and the router and the list of wills by themselves.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Availability, Receiver, Subscription } from '../../src/broker/routing/receiver.js'
import { RetainedMessages } from '../../src/broker/routing/retained-messages.js'
import { Router } from '../../src/broker/routing/router.js'
import { type PendingWill, Wills } from '../../src/broker/routing/wills.js'
import { PublishFrames } from '../../src/protocol/publish-frames.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { matches } from '../../src/protocol/topics.js'
import { localMessage, type Message } from '../../src/session/message.js'

function retained(topic: string, payload: string, expiresAfter?: number): Message {
  const properties = expiresAfter === undefined ? {} : { messageExpiryInterval: expiresAfter }
  return localMessage(topic, Buffer.from(payload), 0, true, properties, undefined, 0)
}

const texts = (messages: readonly Message[]) => messages.map(({ topic, payload }) => `${topic}=${payload}`).sort()

const level = fc.constantFrom('a', 'b', '', '$x', '__proto__')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/') || 'a')
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, open]) => (open ? [...levels, '#'] : levels).join('/') || '#')
const step = fc.record({
  topic,
  payload: fc.constantFrom('', 'x', 'yy'),
  expiresAfter: fc.constantFrom(undefined, 5, 50),
})

test('[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-9] F33 F37 F43 finds and counts what a plain map would', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.array(filter, { minLength: 1, maxLength: 8 }),
      (steps, filters) => {
        const store = new RetainedMessages()
        const map = new Map<string, Message>()
        const compare = (now: number) => {
          for (const asked of filters) {
            const wanted = [...map.values()].filter(
              (message) => matches(asked, message.topic) && message.expiresAt > now,
            )
            assert.deepEqual(texts(store.matching(asked, now)), texts(wanted), asked)
          }
          assert.equal(store.count, map.size)
          assert.equal(
            store.bytes,
            [...map.values()].reduce((sum, { size }) => sum + size, 0),
          )
        }
        for (const { topic: name, payload, expiresAfter } of steps) {
          const message = retained(name, payload, expiresAfter)
          store.apply(message)
          if (payload === '') map.delete(name)
          else map.set(name, message)
          assert.equal(store.get(name), map.get(name))
        }
        compare(0)
        compare(5000)
        store.sweep(5000)
        for (const [name, { expiresAt }] of map) if (expiresAt <= 5000) map.delete(name)
        compare(5000)
        for (const name of map.keys()) store.remove(name)
        map.clear()
        compare(0)
      },
    ),
    { numRuns: 300 },
  )
})

test('CVE-2019-11779 names of 200 levels are stored, found and removed', () => {
  const deep = new Array(200).fill('').join('/')
  const store = new RetainedMessages()
  store.apply(retained(deep, 'x'))
  assert.equal(store.matching('#', 0).length, 1)
  assert.equal(store.matching(new Array(200).fill('+').join('/'), 0).length, 1)
  store.remove(deep)
  assert.equal(store.count, 0)
})

test('D3.3 a retained message holds no more memory than its payload', () => {
  const store = new RetainedMessages()
  const chunk = Buffer.alloc(65_536, 'x')
  const message = localMessage('t', chunk.subarray(100, 110), 0, true)
  store.apply(message)
  assert.equal(store.get('t')?.bytes.buffer.byteLength, 10)
})

describe('router', () => {
  function subscribe(
    router: Router,
    filter: string,
    deliver: Receiver['deliver'],
    availability: Availability = 'ready',
  ): Subscription {
    const follow = () => 'apart' as const
    const receiver: Receiver = {
      clientId: filter,
      isDurable: false,
      availability,
      deliver,
      follow,
      followRun: () => undefined,
      deliverRetained: () => {},
    }
    const share = /^\$share\/([^/]+)\/(.*)$/.exec(filter)
    const subscription: Subscription = {
      receiver,
      text: filter,
      group: share?.[1],
      filter: share?.[2] ?? filter,
      qos: 0,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      identifier: 0,
    }
    router.subscriptions.add(subscription)
    return subscription
  }

  test('a message that comes up during a delivery waits until that is over, in order', () => {
    const router = new Router(new PublishFrames(), new BlockPool())
    const seen: string[] = []
    subscribe(router, 'first', () => {
      router.publish(localMessage('second', Buffer.from('1'), 0, false))
      router.publish(localMessage('second', Buffer.from('2'), 0, false))
      return true
    })
    subscribe(router, 'first', ({ topic }) => seen.push(topic) > 0)
    subscribe(router, 'second', ({ payload }) => seen.push(`second ${payload}`) > 0)
    router.publish(localMessage('first', Buffer.alloc(0), 0, false))
    assert.deepEqual(seen, ['first', 'second 1', 'second 2'])
  })

  test('ten thousand of them do not exhaust the stack', () => {
    const router = new Router(new PublishFrames(), new BlockPool())
    let seen = 0
    subscribe(router, 'first', () => {
      for (let i = 0; i < 10_000; i++) router.publish(localMessage('second', Buffer.alloc(0), 0, false))
      return true
    })
    subscribe(router, 'second', () => ++seen > 0)
    router.publish(localMessage('first', Buffer.alloc(0), 0, false))
    assert.equal(seen, 10_000)
  })

  test('says whether anybody took the message', () => {
    const router = new Router(new PublishFrames(), new BlockPool())
    const publish = (topic: string) => router.publish(localMessage(topic, Buffer.alloc(0), 0, false))
    assert.equal(publish('t'), false)
    subscribe(router, 't', () => false)
    assert.equal(publish('t'), false)
    subscribe(router, '+', () => true)
    assert.equal(publish('t'), true)
    subscribe(router, '$share/g/shared', () => false)
    assert.equal(publish('shared'), true, 'by +')
    assert.equal(publish('no/one'), false)
  })

  test('the broker goes on when a receiver fails', () => {
    const router = new Router(new PublishFrames(), new BlockPool())
    let fails = true
    let seen = 0
    subscribe(router, 't', () => {
      if (fails) throw new Error('defect')
      return ++seen > 0
    })
    assert.throws(() => router.publish(localMessage('t', Buffer.alloc(0), 0, false)), /defect/)
    fails = false
    router.publish(localMessage('t', Buffer.alloc(0), 0, false))
    assert.equal(seen, 1)
  })

  test('[MQTT-4.8.2-3] F133 a group: each member in turn, those that can take it at once first, the next when one does not take it', () => {
    const router = new Router(new PublishFrames(), new BlockPool())
    const seen: string[] = []
    const member = (name: string, availability: Availability, takes = true) =>
      subscribe(router, '$share/g/t', () => takes && seen.push(name) > 0, availability)
    member('a', 'ready')
    const away = member('away', 'away')
    const busy = member('busy', 'busy')
    member('refuses', 'ready', false)
    member('b', 'ready')
    const publish = () => router.publish(localMessage('t', Buffer.alloc(0), 0, false))
    for (let i = 0; i < 4; i++) assert.equal(publish(), true)
    assert.deepEqual(seen.sort(), ['a', 'a', 'b', 'b'])
    seen.length = 0
    for (const member of [...(router.subscriptions.group('t', 'g')?.members ?? [])])
      if (member !== away && member !== busy) router.subscriptions.remove(member)
    publish()
    router.subscriptions.remove(busy)
    publish()
    assert.deepEqual(seen, ['busy', 'away'])
  })
})

describe('wills', () => {
  const pending = (clientId: string, willDelayInterval = 0): PendingWill => ({
    will: { topic: 't', payload: Buffer.alloc(0), qos: 0, retain: false, properties: { willDelayInterval } },
    publisher: { clientId, mayWrite: () => true },
    mountPoint: '',
  })

  function recording() {
    const published: string[] = []
    const wills = new Wills(({ publisher }) => void published.push(publisher.clientId))
    return { wills, published }
  }

  test('[MQTT-3.1.2-8] at once, when due, when the session ends, and never twice', () => {
    const { wills, published } = recording()
    wills.leave(pending('now'), 1000, 0)
    wills.leave(pending('delayed', 10), 1000, 0)
    wills.leave(pending('session', 10), 1000, 0)
    wills.tick(9999)
    assert.deepEqual(published, ['now'])
    wills.sessionEnded('session')
    wills.tick(10_000)
    wills.tick(99_000)
    wills.sessionEnded('delayed')
    assert.deepEqual(published, ['now', 'session', 'delayed'])
  })

  test('[MQTT-3.1.3-9] cancelled when the client comes back', () => {
    const { wills, published } = recording()
    wills.leave(pending('a', 10), 1000, 0)
    wills.cancel('a')
    wills.tick(99_000)
    wills.publishAll()
    assert.deepEqual(published, [])
  })

  test('all that wait go out when the broker stops', () => {
    const { wills, published } = recording()
    wills.leave(pending('a', 10), 1000, 0)
    wills.leave(pending('b', 0xffff_ffff), Number.POSITIVE_INFINITY, 0)
    wills.publishAll()
    assert.deepEqual(published, ['a', 'b'])
  })
})
