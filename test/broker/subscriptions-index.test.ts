// The index of subscriptions - trie, cache and groups - against the plain matcher, while subscriptions come and go.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Receiver, Subscription } from '../../src/broker/routing/receiver.js'
import { Subscriptions } from '../../src/broker/routing/subscriptions.js'
import type { Qos } from '../../src/protocol/packets/publish.js'
import { matches, parseFilter } from '../../src/protocol/topics.js'

function receiver(clientId: string): Receiver {
  return {
    clientId,
    isDurable: false,
    availability: 'ready',
    deliver: () => true,
    follow: () => 'apart',
    followRun: () => undefined,
    deliverRetained: () => {},
  }
}

const receivers = ['A', 'B', 'C', 'D'].map(receiver)

function subscription(who: Receiver, text: string, qos: Qos = 0): Subscription {
  const parts = parseFilter(text)
  assert.ok(parts)
  return {
    receiver: who,
    text,
    ...parts,
    qos,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    identifier: 0,
  }
}

/** `A filter`, and `$share/group/filter: A B` for groups, sorted. */
function found(index: Subscriptions, topic: string): string[] {
  const { subscriptions, groups } = index.match(topic)
  return [
    ...subscriptions.map(({ receiver: { clientId }, text, qos }) => `${clientId} ${text} q${qos}`),
    ...groups.map(
      ({ text, members }) =>
        `${text}: ${members
          .map((member) => member.receiver.clientId)
          .sort()
          .join(' ')}`,
    ),
  ].sort()
}

/** The same without trie and cache. */
function expected(all: ReadonlyMap<string, Subscription>, topic: string): string[] {
  const lines: string[] = []
  const groups = new Map<string, string[]>()
  for (const { receiver: who, text, group, filter, qos } of all.values()) {
    if (!matches(filter, topic)) continue
    if (group === undefined) lines.push(`${who.clientId} ${text} q${qos}`)
    else groups.set(text, [...(groups.get(text) ?? []), who.clientId])
  }
  for (const [text, members] of groups) lines.push(`${text}: ${members.sort().join(' ')}`)
  return lines.sort()
}

const level = fc.constantFrom('a', 'b', '', '$x', '__proto__', 'constructor')
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/') || 'a')
const filter = fc
  .tuple(
    fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }),
    fc.boolean(),
    fc.constantFrom('', '', 'g', 'h'),
  )
  .map(([levels, open, group]) => {
    const plain = (open ? [...levels, '#'] : levels).join('/') || '#'
    return group === '' ? plain : `$share/${group}/${plain}`
  })
const change = fc.record({ add: fc.boolean(), who: fc.nat(3), filter, qos: fc.constantFrom<Qos>(0, 1, 2) })

test('[MQTT-3.3.2-3] [MQTT-4.7.2-1] F124-F131 finds what the plain matcher finds, with and without its cache', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 60 }),
      fc.array(topic, { minLength: 1, maxLength: 12 }),
      (changes, topics) => {
        const index = new Subscriptions()
        const all = new Map<string, Subscription>()
        changes.forEach(({ add, who, filter: text, qos }, i) => {
          const from = receivers[who] as Receiver
          const made = subscription(from, text, qos)
          const key = `${who} ${text}`
          if (add) {
            index.add(made)
            all.set(key, made)
          } else {
            index.remove(made)
            all.delete(key)
          }
          // Some topics are asked for after each change, so that their cached result is compared with one change at a time; the
          // others after many, so that it is made anew.
          const asked = topics[i % Math.min(3, topics.length)] as string
          assert.deepEqual(found(index, asked), expected(all, asked), asked)
        })
        for (const asked of topics) assert.deepEqual(found(index, asked), expected(all, asked), asked)
        const shared = [...all.values()].filter(({ group }) => group !== undefined).length
        assert.equal(index.sharedSubscriptionCount, shared)
        assert.equal(index.count, all.size - shared)
      },
    ),
    { numRuns: 400 },
  )
})

describe('the cache', () => {
  test('hands out the same result until something that matches changes', () => {
    const index = new Subscriptions()
    index.add(subscription(receiver('A'), 'a/+'))
    const first = index.match('a/b')
    index.add(subscription(receiver('B'), 'other/#'))
    assert.equal(index.match('a/b'), first)
    index.add(subscription(receiver('B'), '#'))
    assert.notEqual(index.match('a/b'), first)
    assert.equal(index.match('a/b').subscriptions.length, 2)
  })

  test('is right after more changes than it remembers', () => {
    const index = new Subscriptions()
    index.match('a')
    index.add(subscription(receiver('A'), 'a'))
    for (let i = 0; i < 100; i++) index.add(subscription(receiver('B'), `other/${i}`))
    assert.equal(index.match('a').subscriptions.length, 1)
  })

  test('is bounded: 40,000 topics once each, then all still right', () => {
    const index = new Subscriptions()
    index.add(subscription(receiver('A'), 'even/+'))
    for (let i = 0; i < 40_000; i++) index.match(`${i % 2 === 0 ? 'even' : 'odd'}/${i}`)
    assert.equal(index.match('even/0').subscriptions.length, 1)
    assert.equal(index.match('odd/1').subscriptions.length, 0)
  })
})

test('D3.1 levels that are names of object members are ordinary levels', () => {
  const index = new Subscriptions()
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    assert.deepEqual(found(index, `${name}/${name}`), [])
  index.add(subscription(receiver('A'), '__proto__/+'))
  assert.deepEqual(found(index, '__proto__/constructor'), ['A __proto__/+ q0'])
})

test('[MQTT-3.8.4-3] the same filter again replaces the subscription of that receiver only', () => {
  const index = new Subscriptions()
  const [a, b] = [receiver('A'), receiver('B')]
  index.add(subscription(a, 't', 0))
  index.add(subscription(b, 't', 1))
  index.add(subscription(a, 't', 2))
  assert.deepEqual(found(index, 't'), ['A t q2', 'B t q1'])
  assert.equal(index.count, 2)
})

test('the highest QoS comes first among subscriptions that match', () => {
  const index = new Subscriptions()
  const a = receiver('A')
  index.add(subscription(a, '#', 0))
  index.add(subscription(a, 't', 2))
  index.add(subscription(a, '+', 1))
  assert.deepEqual(
    index.match('t').subscriptions.map(({ qos }) => qos),
    [2, 1, 0],
  )
})

test('F136 a group ends with its last member and starts anew', () => {
  const index = new Subscriptions()
  const [a, b] = [subscription(receiver('A'), '$share/g/t'), subscription(receiver('B'), '$share/g/t')]
  index.add(a)
  index.add(b)
  assert.deepEqual(found(index, 't'), ['$share/g/t: A B'])
  index.remove(a)
  index.remove(b)
  index.remove(b)
  assert.deepEqual(found(index, 't'), [])
  assert.equal(index.group('t', 'g'), undefined)
  assert.equal(index.sharedSubscriptionCount, 0)
  index.add(a)
  assert.deepEqual(found(index, 't'), ['$share/g/t: A'])
})

test('CVE-2024-8376 a plain subscription does not end when the shared one with its filter does, nor the reverse', () => {
  const index = new Subscriptions()
  const a = receiver('A')
  const [plain, shared] = [subscription(a, 't'), subscription(a, '$share/g/t')]
  index.add(plain)
  index.add(shared)
  index.remove(shared)
  assert.deepEqual(found(index, 't'), ['A t q0'])
  index.add(shared)
  index.remove(plain)
  assert.deepEqual(found(index, 't'), ['$share/g/t: A'])
})

test('removing what is not there changes nothing', () => {
  const index = new Subscriptions()
  const kept = subscription(receiver('A'), 'a/b/c')
  index.add(kept)
  for (const text of ['a', 'a/b', 'a/b/c/d', '$share/g/a/b/c', 'x']) index.remove(subscription(receiver('A'), text))
  index.remove(subscription(receiver('B'), 'a/b/c'))
  assert.deepEqual(found(index, 'a/b/c'), ['A a/b/c q0'])
  assert.equal(index.count, 1)
})
