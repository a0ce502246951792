// Debian's mosquitto with its dynamic security plugin, and tsmq with the same configuration: asked with mosquitto_ctrl, and with
// requests as they are.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Publish } from '../../src/protocol/packets/publish.js'
import { Program, type Result } from '../support/program.js'
import { RawClient } from '../support/raw-client.js'
import { startTsmq } from '../support/tsmq-process.js'
import { pathOf } from './programs.js'

export const BROKER = pathOf('mosquitto')
export const TOOL = pathOf('mosquitto_ctrl')
export const PASSWORD = 'first password'
const TOPIC = '$CONTROL/dynamic-security/v1'

/** An answer to one command. */
export type Answer = Readonly<Record<string, unknown>>

/** A broker with a file of the plugin. */
export class DynsecBroker {
  readonly port: number
  private readonly folder: string
  private readonly end: () => Promise<unknown>
  private admin: RawClient | undefined = undefined

  private constructor(port: number, folder: string, end: () => Promise<unknown>) {
    this.port = port
    this.folder = folder
    this.end = end
  }

  /** @param text of the file; the one that mosquitto_ctrl makes unless given */
  static async mosquitto(text = initialFile()): Promise<DynsecBroker> {
    const folder = prepared(text)
    const port = await freePort()
    const conf = join(folder, 'mosquitto.conf')
    writeFileSync(conf, `listener ${port} 127.0.0.1\nlog_dest stderr\nuser root\n${settings(folder)}`)
    const program = new Program(BROKER, ['-c', conf])
    await program.line(/mosquitto version \S+ running/)
    return new DynsecBroker(port, folder, () => program.stop())
  }

  /** @param text of the file, as above; empty for none: the plugin makes it */
  static async tsmq(text = initialFile()): Promise<DynsecBroker> {
    const folder = prepared(text)
    const process = await startTsmq({ conf: settings(folder) })
    return new DynsecBroker(process.port, folder, () => process.stop())
  }

  /** What is in the file. */
  get file(): string {
    return readFileSync(join(this.folder, 'dynsec.json'), 'utf8')
  }

  /** The password that the plugin has made up. */
  get firstPassword(): string {
    return readFileSync(join(this.folder, 'dynsec.json.pw'), 'utf8').trim()
  }

  /** Runs `mosquitto_ctrl dynsec …`; its advice about encryption is left out. */
  async control(args: readonly string[], password = PASSWORD, input = ''): Promise<Result> {
    const at = ['-h', '127.0.0.1', '-p', `${this.port}`, '-u', 'admin', '-P', password]
    const { status, stdout, stderr } = await new Program(TOOL, [...at, 'dynsec', ...args], { input }).end()
    return { status, stdout, stderr: stderr.replace(/^Warning: You are running.*\n.*including passwords\.\n\n/, '') }
  }

  /** The answers to one request of the administrator. */
  async ask(commands: readonly object[], password = PASSWORD): Promise<readonly Answer[]> {
    return (JSON.parse(await this.request(JSON.stringify({ commands }), password)) as { responses: Answer[] }).responses
  }

  /** The answer to any request. */
  async request(payload: string, password = PASSWORD): Promise<string> {
    this.admin ??= await this.administrator(password)
    this.admin.publish({ topic: TOPIC, payload })
    return ((await this.admin.next()) as Publish).payload.toString()
  }

  private async administrator(password: string): Promise<RawClient> {
    const { client } = await RawClient.connect(this.port, { clientId: 'desk', username: 'admin', password })
    await client.subscribe(`${TOPIC}/response`)
    return client
  }

  /** The return code for someone of MQTT 3.1.1. */
  async login(username: string | undefined, password: string | undefined, clientId = 'someone'): Promise<number> {
    const fields = { clientId, ...(username && { username }), ...(password !== undefined && { password }) }
    const { client, connack } = await RawClient.connect(this.port, fields)
    await client.drop()
    return connack.reasonCode
  }

  async stop(): Promise<void> {
    await this.admin?.drop()
    await this.end()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function prepared(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-dynsec-'))
  if (text !== '') writeFileSync(join(folder, 'dynsec.json'), text, { mode: 0o600 })
  return folder
}

const LIBRARIES = '/usr/lib'

/** Of Mosquitto; tsmq takes its name for its own. */
export const LIBRARY =
  readdirSync(LIBRARIES)
    .map((folder) => join(LIBRARIES, folder, 'mosquitto_dynamic_security.so'))
    .find((file) => existsSync(file)) ?? join(LIBRARIES, 'mosquitto_dynamic_security.so')

/** The same for both. */
function settings(folder: string): string {
  return `allow_anonymous true\nplugin ${LIBRARY}\nplugin_opt_config_file ${join(folder, 'dynsec.json')}\n`
}

/** The file that `mosquitto_ctrl dynsec init` makes. */
function initialFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-dynsec-'))
  const file = join(folder, 'dynsec.json')
  const { status } = spawnSync(TOOL, ['dynsec', 'init', file, 'admin', PASSWORD])
  if (status !== 0) throw new Error(`mosquitto_ctrl dynsec init ended with ${status}`)
  const text = readFileSync(file, 'utf8')
  rmSync(folder, { recursive: true })
  return text
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}
