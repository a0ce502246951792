// Commands of plugins at $CONTROL that take their time: one after the other, answered together, and settled before.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ControlAnswer, Plugin } from '../../src/broker/plugins/plugin.js'
import { startBroker } from '../support/broker-kit.js'
import { nextPublish } from '../support/deliveries.js'
import type { RawClient } from '../support/raw-client.js'
import { pluginScene, turn } from './plugin-kit.js'

const TOPIC = '$CONTROL/own/v1'

type Method = () => ControlAnswer | Promise<ControlAnswer>

function plugin(methods: Readonly<Record<string, Method>>, more: Partial<Plugin> = {}): Plugin {
  return { name: 'p', control: { 'own/v1': methods }, ...more }
}

function send(client: RawClient, ...commands: readonly string[]): void {
  const payload = JSON.stringify({ commands: commands.map((command) => ({ command })) })
  client.publish({ topic: TOPIC, payload })
}

async function answers(client: RawClient): Promise<unknown> {
  return JSON.parse((await nextPublish(client)).payload.toString()).responses
}

async function ask(client: RawClient, ...commands: readonly string[]): Promise<unknown> {
  await client.subscribe(`${TOPIC}/response`)
  send(client, ...commands)
  return answers(client)
}

test('a command waits for the one before it, the next request for all of them; then what they did is settled', async () => {
  const { connect, notes } = await pluginScene((note) =>
    plugin(
      {
        async slow() {
          note('slow begins')
          await turn()
          note('slow ends')
          return { data: { n: 1 } }
        },
        quick: () => note('quick'),
        refuse: () => Promise.resolve({ error: 'not today' }),
      },
      {
        async controlled(endpoint) {
          note(`settling ${endpoint}`)
          await turn()
          note('settled')
        },
      },
    ),
  )
  const client = await connect()
  await client.subscribe(`${TOPIC}/response`)
  send(client, 'slow', 'quick', 'refuse')
  send(client, 'quick')
  assert.deepEqual(await answers(client), [
    { command: 'slow', data: { n: 1 } },
    { command: 'quick' },
    { command: 'refuse', error: 'not today' },
  ])
  assert.deepEqual(await answers(client), [{ command: 'quick' }])
  const settling = ['settling own/v1', 'settled']
  assert.deepEqual(notes, ['slow begins', 'slow ends', 'quick', ...settling, 'quick', ...settling])
})

test('what cannot be settled is an error of every command', async () => {
  const { connect, broker } = await pluginScene(() =>
    plugin({ quick: () => undefined }, { controlled: () => Promise.reject(new Error('disk full')) }),
  )
  const client = await connect()
  assert.deepEqual(await ask(client, 'quick', 'unknown'), [
    { command: 'quick', error: 'Internal error' },
    { command: 'unknown', error: 'Internal error' },
  ])
  assert.ok(broker.log.some((line) => line.startsWith('Plugin p: controlled failed: disk full')))
  assert.deepEqual(await ask(client, 'quick'), [{ command: 'quick', error: 'Internal error' }])
})

test('a promise that fails, or takes longer than plugin_timeout, is an error of its command', async () => {
  const { connect, broker } = await pluginScene(
    () =>
      plugin({
        fail: () => Promise.reject(new Error('oops')),
        never: () => new Promise(() => {}),
        quick: () => undefined,
      }),
    { conf: 'plugin_timeout 3\n' },
  )
  const client = await connect()
  assert.deepEqual(await ask(client, 'fail', 'quick'), [
    { command: 'fail', error: 'Internal error' },
    { command: 'quick' },
  ])
  send(client, 'never', 'quick')
  await client.settled()
  broker.advance(4)
  assert.deepEqual(await answers(client), [{ command: 'never', error: 'Internal error' }, { command: 'quick' }])
  assert.ok(broker.log.some((line) => line.startsWith('Plugin p: control never failed: no answer in 3 s')))
})

test('an endpoint belongs to one plugin, or to the broker', async () => {
  const other: Plugin = { name: 'other', control: { 'own/v1': {} } }
  for (const plugins of [[plugin({}), other], [{ name: 'other', control: { 'broker/v1': {} } }]])
    await assert.rejects(startBroker({ plugins }), {
      name: 'PluginError',
      message: /^plugin other: \$CONTROL\/\w+\/v1 is taken/,
    })
})
