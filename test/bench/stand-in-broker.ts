// A stand-in for a broker, which does no work of its own: it says when a subscription was confirmed, and feeds the subscriber as
// fast as that reads, so that nothing but the subscriber is measured.
import net, { type AddressInfo, type Socket } from 'node:net'

const CONNECT = 0x10
const SUBSCRIBE = 0x82
const CONNACK = Buffer.from([0x20, 2, 0, 0])
/** Bytes of one write. */
const PIECE = 262_144

/** What every subscriber is sent once it has subscribed. */
export interface Feed {
  readonly count: number
  /** Bytes of a payload, at most 100. */
  readonly size: number
}

export interface StandIn {
  readonly port: number
  /** When the last SUBACK was written, on the clock of `performance.now`. */
  readonly confirmed: number
  stop(): void
}

/** Starts one on a free port of the loopback address. */
export async function startStandIn(feed: Feed = { count: 0, size: 0 }): Promise<StandIn> {
  let confirmed = 0
  const server = net.createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const first = bytes[0] ?? 0
      if (first === CONNECT) socket.write(CONNACK)
      else if (first === SUBSCRIBE) {
        socket.write(Buffer.from([0x90, 3, bytes[2] ?? 0, bytes[3] ?? 0, 0]))
        confirmed = performance.now()
        send(socket, feed)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    get confirmed() {
      return confirmed
    },
    stop: () => server.close(),
  }
}

function send(socket: Socket, { count, size }: Feed): void {
  const topic = Buffer.from('load/x')
  const head = Buffer.from([0x30, 2 + topic.length + size, 0, topic.length])
  const packet = Buffer.concat([head, topic, Buffer.alloc(size, 'a')])
  const most = Math.floor(PIECE / packet.length)
  const piece = Buffer.concat(Array.from({ length: Math.min(most, count) }, () => packet))
  let left = count
  const more = (): void => {
    while (left > 0) {
      const taken = Math.min(left, most)
      left -= taken
      if (!socket.write(piece.subarray(0, taken * packet.length))) {
        socket.once('drain', more)
        return
      }
    }
  }
  more()
}
