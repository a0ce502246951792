// For tests of dynamic-security: a broker with the plugin, an administrator who sends it commands, and others who come in.

import { pbkdf2Sync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import dynamicSecurity from '../../../src/plugins/dynamic-security/dynamic-security.js'
import type { Connack } from '../../../src/protocol/packets/connack.js'
import { startBroker, type TestBroker } from '../../support/broker-kit.js'
import { nextPublish } from '../../support/deliveries.js'
import { type ConnectFields, RawClient } from '../../support/raw-client.js'

export const TOPIC = '$CONTROL/dynamic-security/v1'
export const ADMIN = { version: 5, clientId: 'desk', username: 'admin', password: 'boss' } as const

/** Members of a client in the file. */
export function credential(password: string, iterations = 1): object {
  const salt = Buffer.alloc(12, 7)
  const digest = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  return { password: digest.toString('base64'), salt: salt.toString('base64'), iterations }
}

const about = ['publishClientSend', 'publishClientReceive', 'subscribePattern']

/** A file with an administrator; `more` adds to its lists. */
export function config(more: { readonly [list: string]: readonly object[] } = {}): object {
  const { clients = [], groups = [], roles = [] } = more
  return {
    clients: [{ username: 'admin', ...credential(ADMIN.password), roles: [{ rolename: 'admin' }] }, ...clients],
    groups,
    roles: [
      {
        rolename: 'admin',
        acls: about.map((acltype) => ({ acltype, topic: '$CONTROL/dynamic-security/#', allow: true })),
      },
      ...roles,
    ],
  }
}

export type Answer = Readonly<Record<string, unknown>>

export class DynsecScene {
  readonly broker: TestBroker
  readonly folder: string
  private admin: RawClient | undefined = undefined

  private constructor(broker: TestBroker, folder: string) {
    this.broker = broker
    this.folder = folder
  }

  static async open(t: TestContext, file: object | 'none' = config(), conf = ''): Promise<DynsecScene> {
    const folder = mkdtempSync(join(tmpdir(), 'tsmq-dynsec-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'dynsec.json')
    if (file !== 'none') writeFileSync(path, JSON.stringify(file), { mode: 0o600 })
    const broker = await startBroker({ plugins: [await dynamicSecurity({ config_file: path })], conf })
    t.after(() => broker.stop())
    return new DynsecScene(broker, folder)
  }

  get path(): string {
    return join(this.folder, 'dynsec.json')
  }

  /** What is in the file. */
  get file(): { readonly [list: string]: readonly Answer[] } {
    return JSON.parse(readFileSync(this.path, 'utf8'))
  }

  connect(fields: ConnectFields = {}): Promise<{ client: RawClient; connack: Connack }> {
    return RawClient.connect(this.broker.port, fields)
  }

  /** The reason code of CONNACK, in MQTT 5.0. */
  async login(username: string | undefined, password: string | undefined, clientId = 'someone'): Promise<number> {
    const user = username === undefined ? {} : { username }
    const { client, connack } = await this.connect({
      clientId,
      version: 5,
      ...user,
      ...(password === undefined ? {} : { password }),
    })
    await client.drop()
    return connack.reasonCode
  }

  async administrator(): Promise<RawClient> {
    if (this.admin !== undefined) return this.admin
    const { client } = await this.connect(ADMIN)
    await client.subscribe(`${TOPIC}/response`)
    this.admin = client
    return client
  }

  /** Sends a payload as the administrator; the answer as text. */
  async request(payload: string): Promise<string> {
    const admin = await this.administrator()
    admin.publish({ topic: TOPIC, payload })
    return (await nextPublish(admin)).payload.toString()
  }

  /** The answers to the commands of one request. */
  async ask(...commands: readonly object[]): Promise<readonly Answer[]> {
    return (JSON.parse(await this.request(JSON.stringify({ commands }))) as { readonly responses: Answer[] }).responses
  }

  /** Has commands done that must be without error. */
  async do(...commands: readonly object[]): Promise<readonly Answer[]> {
    const answers = await this.ask(...commands)
    const failed = answers.find(({ error }) => error !== undefined)
    if (failed !== undefined) throw new Error(JSON.stringify(failed))
    return answers
  }

  /** What a command answers. */
  async data<T>(one: object): Promise<T> {
    const [answer] = await this.do(one)
    return answer?.data as T
  }
}

export const command = (name: string, members: object = {}) => ({ command: name, ...members })
