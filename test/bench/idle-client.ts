// A client that connects and then does nothing, on the handle that lies beneath Node's sockets: a socket costs its process more than a
// connection costs the brokers that are measured.
import { getSystemErrorName } from 'node:util'

interface Request {
  oncomplete: (status: number) => void
}

interface Handle {
  onread: () => void
  connect(request: Request, address: string, port: number): number
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  writeBuffer(request: Request, bytes: Buffer): number
  close(): void
}

interface TcpBinding {
  readonly TCP: new (kind: number) => Handle
  readonly TCPConnectWrap: new () => Request
  readonly constants: { readonly SOCKET: number }
}

interface StreamBinding {
  readonly WriteWrap: new () => Request
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
}

const { binding } = process as unknown as { binding(name: string): TcpBinding & StreamBinding }
const { TCP, TCPConnectWrap, constants } = binding('tcp_wrap')
const { WriteWrap, streamBaseState, kReadBytesOrError } = binding('stream_wrap')

const CONNACK_BYTES = 4
const readBuffer = Buffer.alloc(64)

/** Takes what has become of a client; without a `failure` the broker has accepted it. */
export type Opened = (failure?: string) => void

export class IdleClient {
  private readonly handle = new TCP(constants.SOCKET)
  private readonly opened: Opened

  /** Connects to 127.0.0.1:`port` and sends `packet`, a CONNECT of MQTT 3.1.1. */
  constructor(port: number, packet: Buffer, opened: Opened) {
    this.opened = opened
    const request = new TCPConnectWrap()
    request.oncomplete = (status) => (status < 0 ? opened(getSystemErrorName(status)) : this.start(packet))
    const status = this.handle.connect(request, '127.0.0.1', port)
    if (status < 0) opened(getSystemErrorName(status))
  }

  private start(packet: Buffer): void {
    this.handle.onread = () => this.onRead(streamBaseState[kReadBytesOrError] as number)
    this.handle.useUserBuffer(readBuffer)
    this.handle.readStart()
    const request = new WriteWrap()
    request.oncomplete = () => undefined
    this.handle.writeBuffer(request, packet)
  }

  private onRead(length: number): void {
    const code = readBuffer[3] as number
    if (length < 0) this.opened('the broker closed a connection')
    else if (length !== CONNACK_BYTES || readBuffer[0] !== 0x20) this.opened('no CONNACK')
    else this.opened(code === 0 ? undefined : `refused with code ${code}`)
  }

  close(): void {
    this.handle.onread = () => undefined
    this.handle.close()
  }
}
