// Listeners with `protocol http_api` (spec: broker-options.md section 10): what the broker tells about itself as JSON, and the files
// of `http_dir`, to whom the password file and the ACL let have it. One request per connection, GET only.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { acceptedStream } from '../../net/accepted-stream.js'
import type { Accepted } from '../../net/listener.js'
import type { BrokerContext } from '../context.js'
import type { BoundListener } from '../listeners.js'
import type { OpenListener } from '../open-listener.js'
import { isEncrypted } from './broker-commands.js'
import { HttpFiles } from './http-files.js'

/** As whom the ACL is asked. */
const CLIENT_ID = 'http-api'
const TEXT = 'text/plain; charset=utf-8'

/** What the answers are made from, for each request. */
export interface ApiSources {
  readonly bound: () => readonly BoundListener[]
  /** The numbers of `$SYS`, by topic. */
  readonly numbers: () => object
}

interface Visit {
  readonly listener: OpenListener
  readonly address: string
  readonly port: number
  /** ms: when the connection was accepted. */
  readonly since: number
}

export class HttpApi {
  private readonly context: BrokerContext
  /** What is answered to `GET /api/v1/<name>`: text as it is, anything else as JSON. */
  private readonly answers: ReadonlyMap<string, () => string | object>
  private readonly server: Server
  private readonly files = new HttpFiles()
  private readonly visits = new Map<Duplex, Visit>()

  constructor(context: BrokerContext, sources: ApiSources) {
    this.context = context
    this.answers = new Map<string, () => string | object>([
      ['version', () => context.version],
      ['systree', sources.numbers],
      ['listeners', () => ({ listeners: sources.bound().map(listenerFacts) })],
    ])
    this.server = createServer({ keepAlive: false }, (request, response) =>
      this.onRequest(request, response).catch((error) => this.onFailure(error, response)),
    )
    this.server.on('clientError', (_error, socket) =>
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
    )
  }

  /**
   * Answers the request of a connection.
   * @param since ms: when it was accepted
   * @param onGone called once, when it is over
   */
  serve(listener: OpenListener, accepted: Accepted, since: number, onGone: () => void): void {
    const stream = acceptedStream(accepted)
    this.visits.set(stream, { listener, ...accepted.peer, since })
    stream.on('error', () => {})
    stream.on('close', () => {
      this.visits.delete(stream)
      onGone()
    })
    this.server.emit('connection', stream)
  }

  /** Ends connections that take longer than `connect_timeout`. */
  tick(now: number): void {
    const longest = this.context.config.connect_timeout * 1000
    for (const [stream, { since }] of this.visits) if (now - since >= longest) stream.destroy()
    this.files.tick()
  }

  /** Ends all of them. */
  close(): void {
    for (const stream of this.visits.keys()) stream.destroy()
  }

  private onFailure(error: unknown, response: ServerResponse): void {
    this.context.log.error(
      `Internal error while answering a HTTP request: ${error instanceof Error ? error.stack : error}`,
    )
    response.destroy()
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Connection', 'close')
    response.setHeader('X-Content-Type-Options', 'nosniff')
    const visit = this.visits.get(request.socket)
    if (visit === undefined) return
    const path = pathOf(request.url)
    if (request.method !== 'GET') {
      response.setHeader('Allow', 'GET')
      answer(response, 405, 'only GET is answered here')
    } else if (path === undefined) answer(response, 400, 'the path is not one')
    else {
      const refusal = await this.refusal(request, path, visit)
      if (response.destroyed) return
      if (refusal === undefined) await this.answerTo(path, visit.listener, response)
      else {
        const { address, port, listener } = visit
        const user = usernameText(request.headers.authorization)
        this.context.log.notice(
          `HTTP request from ${address}:${port} on port ${listener.port} denied: ${refusal} (path '${path}', ${user}).`,
        )
        response.setHeader('WWW-Authenticate', 'Basic realm="Mosquitto API", charset="UTF-8"')
        answer(response, 401, 'not authorised')
      }
    }
  }

  /** Why this request is not answered, undefined if it is. */
  private async refusal(request: IncomingMessage, path: string, visit: Visit): Promise<string | undefined> {
    const credentials = credentialsOf(request.headers.authorization)
    if (credentials === 'malformed') return 'the Authorization header is not Basic'
    const { access } = this.context
    const { config } = visit.listener
    const applicant = { address: visit.address, isWaiting: () => !request.socket.destroyed }
    const refusal = await access.authenticate(config, credentials?.username, credentials?.password, applicant)
    if (refusal !== undefined) return refusal.reason
    if (access.rightsFor(config, credentials?.username, CLIENT_ID).mayRead(path)) return undefined
    return 'the ACL does not let it be read'
  }

  private async answerTo(path: string, listener: OpenListener, response: ServerResponse): Promise<void> {
    const prefix = '/api/v1/'
    const source = path.startsWith(prefix) ? this.answers.get(path.slice(prefix.length)) : undefined
    if (source === undefined) {
      if (!(await this.files.send(listener.config.http_dir, path, response))) answer(response, 404, 'not found')
      return
    }
    const content = source()
    response.setHeader('Access-Control-Allow-Origin', '*')
    response.setHeader('Content-Type', typeof content === 'string' ? TEXT : 'application/json')
    response.end(typeof content === 'string' ? content : JSON.stringify(content))
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': TEXT })
  response.end(`${text}\n`)
}

/** For the log, where what the client has chosen stands last. */
function usernameText(authorization: string | undefined): string {
  const credentials = credentialsOf(authorization)
  return typeof credentials === 'object' ? `user '${credentials.username}'` : 'no user name'
}

/** The path of a request, decoded, without the query; undefined when it is not valid. */
function pathOf(url = ''): string | undefined {
  try {
    const path = decodeURIComponent(url.split('?', 1)[0] ?? '')
    return path.startsWith('/') && !path.includes('\0') && isDirect(path) ? path : undefined
  } catch {
    return undefined
  }
}

/** Whether a path has no detours in it: for `/open/../closed` the ACL would be asked about another name than that of the file. */
function isDirect(path: string): boolean {
  const [, ...levels] = path.split('/')
  const last = levels.length - 1
  return levels.every((level, at) => level !== '.' && level !== '..' && (level !== '' || at === last))
}

function credentialsOf(
  header: string | undefined,
): { readonly username: string; readonly password: Buffer } | 'malformed' | undefined {
  if (header === undefined) return undefined
  const text = /^basic ([A-Za-z0-9+/]+=*)$/i.exec(header)?.[1]
  if (text === undefined) return 'malformed'
  const decoded = Buffer.from(text, 'base64').toString()
  const colon = decoded.indexOf(':')
  if (colon < 0) return 'malformed'
  return { username: decoded.slice(0, colon), password: Buffer.from(decoded.slice(colon + 1)) }
}

/** A listener as `/api/v1/listeners` tells it. */
function listenerFacts({ listener, port, address, family }: BoundListener): object {
  const { protocol, require_certificate: mtls, allow_anonymous } = listener
  return {
    ...(family === 'unix' ? { path: address } : { port }),
    protocol: protocol === 'http_api' ? 'httpapi' : protocol,
    tls: isEncrypted(listener),
    mtls,
    allow_anonymous,
  }
}
