// What the ACL refuses is told with the file and line of the rule that decided, at most once a second per client and rule.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ClientRights } from '../../src/access/client-rights.js'
import { Denials } from '../../src/broker/admin/denials.js'
import { Log } from '../../src/broker/admin/log.js'
import { startBroker } from '../support/broker-kit.js'
import { client } from '../support/deliveries.js'

const acl = `user ann
topic readwrite #
topic deny secret/#
topic deny own
pattern read inbox/%c
`
const broker = await startBroker({ conf: 'sys_interval 0\nacl_file {folder}/acl', files: { acl } })
after(() => broker.stop())

/** The notices of what is refused since the number of lines `from`. */
function denials(from: number): string[] {
  return broker.log.slice(from).filter((line) => line.startsWith('ACL denying '))
}

const rule = (line: number, text: string) => new RegExp(`^ACL denying .*: /\\S+/acl:${line}: ${text}\\.$`)

test('a publish, with the rule; again only when a second is over; another rule or client at once', async (t) => {
  const ann = await client(t, broker, { clientId: 'ann', username: 'ann' })
  const other = await client(t, broker, { clientId: 'ann2', username: 'ann' })
  const from = broker.log.length
  const refused = async (who: typeof ann, topic: string) => {
    who.publish({ topic, payload: 'x' })
    await who.settled()
  }
  await refused(ann, 'secret/1')
  await refused(ann, 'secret/2')
  assert.deepEqual(denials(from).length, 1)
  assert.match(denials(from)[0] ?? '', rule(3, 'topic deny secret/#'))
  assert.match(denials(from)[0] ?? '', /^ACL denying publish to 'secret\/1' by client ann: /)
  await refused(ann, 'own')
  assert.match(denials(from)[1] ?? '', rule(4, 'topic deny own'))
  await refused(other, 'secret/3')
  assert.match(denials(from)[2] ?? '', /by client ann2: /)
  broker.advance(1)
  await refused(ann, 'secret/4')
  await refused(ann, 'secret/5')
  assert.equal(denials(from).length, 4)
  assert.match(denials(from)[3] ?? '', /'secret\/4'/)
})

test('no rule at all, and topics of the broker', async (t) => {
  const bob = await client(t, broker, { clientId: 'bob', username: 'bob', version: 5 })
  const from = broker.log.length
  bob.publish({ topic: 'a', payload: 'x', qos: 1 })
  bob.publish({ topic: '$SYS/x', payload: 'x', qos: 1 })
  await bob.settled()
  assert.match(denials(from)[0] ?? '', /^ACL denying publish to 'a' by client bob: no rule of \S+\/acl matches\.$/)
  assert.match(denials(from)[1] ?? '', /^ACL denying publish to '\$SYS\/x' by client bob: topics beginning with \$SYS /)
})

test('a delivery, live and retained', async (t) => {
  const bob = await client(t, broker, { clientId: 'reader', username: 'bob' })
  const ann = await client(t, broker, { clientId: 'writer', username: 'ann' })
  ann.publish({ topic: 'news', payload: 'x', retain: true })
  await ann.settled()
  const from = broker.log.length
  await bob.subscribe([{ filter: '#' }])
  assert.match(denials(from)[0] ?? '', /^ACL denying delivery of 'news' to client reader: no rule of \S+ matches\.$/)
  broker.advance(1)
  for (let i = 0; i < 3; i++) ann.publish({ topic: 'more', payload: 'x' })
  await ann.settled()
  assert.equal(denials(from).length, 2)
  assert.match(denials(from)[1] ?? '', /delivery of 'more' to client reader/)
})

test('a subscription, if its filter itself is refused', () => {
  const lines: string[] = []
  const settings = {
    log_dest: [],
    log_type: ['notice'],
    log_timestamp: false,
    log_timestamp_format: undefined,
  } as const
  const log = new Log(settings, [(text) => void lines.push(text)], () => '')
  const rights = new ClientRights({ restricted: true, otherwise: 'no-client-id' })
  const refused = { clientId: '', rights, listener: { config: {} as never } }
  new Denials(log).report(refused, 'subscribe', 'a/#')
  assert.deepEqual(lines, ["ACL denying subscription to 'a/#' by client : the client has no id."])
})
