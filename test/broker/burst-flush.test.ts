// A burst for so many receivers that handing out its packets has all connections flushed, which ends the burst: none is lost.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Receiver, Subscription } from '../../src/broker/routing/receiver.js'
import { Router } from '../../src/broker/routing/router.js'
import { encodePacket } from '../../src/protocol/codec.js'
import { Publish, publish } from '../../src/protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../src/protocol/properties.js'
import { PublishFrames } from '../../src/protocol/publish-frames.js'
import { BlockPool } from '../../src/protocol/shared-block.js'
import { messageOf } from '../../src/session/message.js'

const COUNT = 2000
const HEAD = 5

/** A router with one receiver that ends the burst whenever it is handed a stretch, and what the receiver gets. */
function flushing() {
  const blocks = new BlockPool()
  const router = new Router(new PublishFrames(), blocks)
  const got: string[] = []
  const receiver: Receiver = {
    clientId: 's',
    isDurable: false,
    availability: 'ready',
    deliver(message) {
      got.push(message.payload.toString())
      return true
    },
    follow: () => ({
      version: 4,
      maximumPacketSize: 1e9,
      sendStretch(block, start, end) {
        for (let at = start; at < end; ) {
          const next = at + HEAD + (block.bytes[at + 1] as number) - 3
          got.push(block.bytes.toString('latin1', at + HEAD, next))
          at = next
        }
        router.settle()
      },
    }),
    followRun: () => undefined,
    deliverRetained: () => {},
  }
  const rules = {
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    identifier: 0,
    group: undefined,
  } as const
  const subscription: Subscription = { ...rules, receiver, text: 't', filter: 't', qos: 0 }
  router.subscriptions.add(subscription)
  return { router, got }
}

const payloads = Array.from({ length: COUNT }, (_, at) => `${at}`.padEnd(100, '.'))
const packets = payloads.map((payload) => encodePacket(publish({ topic: 't', payload: Buffer.from(payload) }), 4))

for (const inRuns of [false, true])
  test(`${inRuns ? 'packets taken in runs' : 'messages one by one'}, more than fit in a block`, () => {
    const { router, got } = flushing()
    const bytes = Buffer.concat(packets)
    for (let at = 0; at < bytes.length; ) {
      const end = at + 2 + (bytes[at + 1] as number)
      const packet = new Publish(0, 't', 0, NO_PROPERTIES, bytes, at + HEAD, end)
      router.forgetLast()
      router.publish(messageOf(packet, 't', 4, undefined, () => 0, at + 2, undefined))
      at = end
      if (!inRuns) continue
      const following = { bytes, at, limit: bytes.length, most: 1e9, mostPayload: 1e9, passes: undefined }
      at = router.publishFollowing(following)?.end ?? at
    }
    router.settle()
    assert.deepEqual(got, payloads)
  })
