// Clients that connect while the broker reads its store: they wait, with what they have sent, and are served then.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { PacketType } from '../../src/protocol/packet-types.js'
import { MemoryStore } from '../../src/store/memory-store.js'
import type { EachEntry } from '../../src/store/store.js'
import { startBroker } from '../support/broker-kit.js'
import { connectPacket, RawClient } from '../support/raw-client.js'

/** A store whose reading takes until it is told to go on. */
class SlowStore extends MemoryStore {
  goOn: () => void = () => {}
  private readonly wait = new Promise<void>((resolve) => {
    this.goOn = resolve
  })

  override async load(each: EachEntry): Promise<void> {
    await this.wait
    await super.load(each)
  }
}

test('a CONNECT that comes early is answered when the broker serves', async (t) => {
  const path = join(tmpdir(), `tsmq-early-${process.pid}.sock`)
  t.after(() => rmSync(path, { force: true }))
  const store = new SlowStore()
  const starting = startBroker({ conf: `persistence true\nlistener 0 ${path}\n`, store })
  const socket = await new Promise<ReturnType<typeof connect>>((resolve) => {
    const attempt = () => {
      const each = connect(path, () => resolve(each))
      each.once('error', () => setImmediate(attempt))
    }
    attempt()
  })
  const early = new RawClient(socket)
  early.send(connectPacket())
  // Long enough for the bytes to arrive; whether they wait or not shows only then.
  await delay(50)
  store.goOn()
  const broker = await starting
  t.after(() => broker.stop())
  assert.equal((await early.next()).type, PacketType.CONNACK)
  await early.drop()
})
