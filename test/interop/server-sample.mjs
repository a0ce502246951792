// A server as people write it with MQTTnet's events, as a plugin: it validates connections, intercepts subscriptions and messages, sends
// messages of its own, disconnects a client, and tells everything in the log.

/** User names with passwords. */
const users = new Map([
  ['sensor', 'secret'],
  ['monitor', 'secret'],
])

export default ({ greeting }) => {
  let broker
  const tell = (text) => broker.log('information', text)
  return {
    name: 'sample',
    started(handle) {
      broker = handle
      tell('started')
    },
    stopped: () => tell('stopped'),

    async authenticate({ clientId, username, password }) {
      if (clientId.length > 30) return { refuse: 0x85, reason: 'the client id is too long' }
      const isRight = username !== undefined && users.get(username) === `${Buffer.from(password ?? [])}`
      return isRight ? { accept: true } : { refuse: 0x86, reason: 'who are you?' }
    },
    connected({ clientId, username }, { protocolVersion }) {
      tell(`${clientId} connected: ${username}, version ${protocolVersion}`)
      broker.publish({ topic: `welcome/${clientId}`, payload: greeting, retain: true })
    },
    disconnected: ({ clientId }, { isOrderly }) => tell(`${clientId} disconnected${isOrderly ? '' : ', suddenly'}`),

    subscribe: ({ filter, qos }) => {
      if (filter === '#') return { refuse: 0x87 }
      return qos === 2 ? { qos: 1 } : undefined
    },
    subscribed: ({ filter, qos }, { clientId }) => tell(`${clientId} subscribed to ${filter} with QoS ${qos}`),

    publish({ topic, payload }, { username }) {
      if (topic === '/lost') return 'drop'
      if (topic === '/stop') {
        broker.kick(`${payload}`, 0x98, 'stopped by a sensor')
        return 'drop'
      }
      const fields = JSON.parse(`${payload}`)
      if (fields.celsius > 100) return { refuse: 0x99 }
      return {
        payload: JSON.stringify({ ...fields, from: username }),
        properties: { userProperties: [['checked', 'yes']] },
      }
    },
    acknowledged: ({ topic }, { clientId }) => tell(`${clientId} has ${topic}`),
    notConsumed: ({ topic }) => tell(`nobody wants ${topic}`),
  }
}
