// A way to a broker that can be interrupted: passes bytes on in both directions until a test cuts what is connected, as a network
// does that fails. New connections are accepted at once, unless the way is down.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class CuttingProxy {
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  /** Nobody gets through: whoever connects is cut off at once. */
  isDown = false
  /** Connections that were asked for. */
  attempts = 0
  /** The port behind it. */
  target: number

  private constructor(server: Server, port: number) {
    this.server = server
    this.target = port
    server.on('connection', (socket) => {
      this.attempts++
      if (this.isDown) {
        socket.on('error', () => {}).destroy()
        return
      }
      const { target } = this
      const onward = connect(target, '127.0.0.1')
      const pair = [socket, onward]
      for (const each of pair) {
        this.sockets.add(each)
        each.setNoDelay(true)
        each.on('error', () => {})
        each.on('close', () => {
          this.sockets.delete(each)
          for (const other of pair) other.destroy()
        })
      }
      socket.pipe(onward).pipe(socket)
    })
  }

  /** Listens on a free loopback port on behalf of `target`. */
  static async open(target: number): Promise<CuttingProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    return new CuttingProxy(server, target)
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Breaks every connection, whatever is on its way. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  /** Reads nothing more from the connections there are, and leaves them open. */
  stall(): void {
    for (const socket of this.sockets) socket.unpipe().pause()
  }

  /** Breaks everything and accepts no more. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.cut()
    await closed
  }
}
