// A SOCKS 5 proxy on a loopback port (RFC 1928, RFC 1929), as small as the tests of clients allow. It connects to 127.0.0.1 whatever
// name it is given, and remembers the names.

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface SocksServerOptions {
  /** Asks for this user and password. */
  readonly login?: readonly [user: string, password: string]
  /** Answers every request with this code: 2 not allowed, 4 host unreachable, 5 refused. */
  readonly refusal?: number
}

export class SocksServer {
  /** `host:port` as the clients asked for them. */
  readonly asked: string[] = []
  private readonly server: Server
  private readonly options: SocksServerOptions
  private readonly sockets = new Set<Socket>()

  private constructor(options: SocksServerOptions) {
    this.options = options
    this.server = createServer((socket) => this.serve(socket))
  }

  static async start(options: SocksServerOptions = {}): Promise<SocksServer> {
    const proxy = new SocksServer(options)
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  stop(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket.on('error', () => {}))
    const { login } = this.options
    const steps = [
      (greeting: Buffer) => {
        const method = login === undefined ? 0 : 2
        const isOffered = greeting.subarray(2).includes(method)
        socket.write(Buffer.of(5, isOffered ? method : 255))
      },
      ...(login === undefined ? [] : [(credentials: Buffer) => this.checkLogin(socket, credentials, login)]),
      (request: Buffer) => this.join(socket, request),
    ]
    const onData = (chunk: Buffer) => {
      const step = steps.shift()
      if (steps.length === 0) socket.off('data', onData)
      step?.(chunk)
    }
    socket.on('data', onData)
  }

  private checkLogin(socket: Socket, credentials: Buffer, [user, password]: readonly [string, string]): void {
    const end = 2 + credentials.readUInt8(1)
    const isRight = credentials.toString('utf8', 2, end) === user && credentials.toString('utf8', end + 1) === password
    socket.write(Buffer.of(1, isRight ? 0 : 1))
  }

  private join(socket: Socket, request: Buffer): void {
    const kind = request.readUInt8(3)
    const end = kind === 3 ? 5 + request.readUInt8(4) : 8
    const host = kind === 3 ? request.toString('latin1', 5, end) : request.subarray(4, 8).join('.')
    const port = request.readUInt16BE(end)
    this.asked.push(`${host}:${port}`)
    const { refusal = 0 } = this.options
    const answer = Buffer.of(5, refusal, 0, 1, 0, 0, 0, 0, 0, 0)
    if (refusal !== 0) {
      socket.end(answer)
      return
    }
    const onward = connect(port, '127.0.0.1', () => {
      socket.write(answer)
      socket.pipe(onward).pipe(socket)
    })
    this.sockets.add(onward.on('error', () => socket.destroy()))
  }
}
