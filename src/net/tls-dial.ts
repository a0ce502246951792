// TLS as a client: the settings made from files, the handshake on a connected socket, and the judgement on the broker's certificate,
// with the names it is for and the name that was asked for. Files are read by tls-files, causes worded by dial-causes and
// tls-reasons.

import type { X509Certificate } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  DEFAULT_CIPHERS,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls'
import { certificatesShown } from './authority-chain.js'
import type { DialLayer, HostPort, LayerOutcome } from './dial.js'
import { causeOf, codeOf } from './dial-causes.js'
import type { Staple } from './ocsp.js'
import { readStream } from './plain-socket.js'
import { systemAuthorities } from './system-authorities.js'
import {
  CLIENT_FLAGS,
  certificatesIn,
  type DirectiveNames,
  readAuthorities,
  readIdentity,
  TlsFileError,
} from './tls-files.js'
import { serverCertificateFault, serverCertificateReason } from './tls-reasons.js'

export interface TlsDialRules {
  /** Whom to trust; the system's authorities with `usesSystem`. */
  readonly cafile: string | undefined
  readonly capath: string | undefined
  readonly usesSystem: boolean
  /** Both or neither. */
  readonly certfile: string | undefined
  readonly keyfile: string | undefined
  /** Instead of certificates; it ends at TLS 1.2. */
  readonly psk: { readonly key: Buffer; readonly identity: string } | undefined
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** An OpenSSL list; suites of TLS 1.3 if that is the least version. */
  readonly ciphers: string | undefined
  readonly alpn: string | undefined
  /** A file for the keys of each session, for those who want to read along. */
  readonly keyLog: string | undefined
  /** Whether the certificate has to be right. */
  readonly verifies: boolean
  /** Whether it may be for another host. */
  readonly ignoresName?: boolean
  /** Over a Unix socket, where no host has a name. */
  readonly isLocal: boolean
  /** Has an OCSP response asked for, and says what is wrong with what came. */
  readonly judgeStaple?: StapleJudge | undefined
}

/** What is wrong with the OCSP response for a certificate that has been verified up to one of `trusted`. */
export type StapleJudge = (staple: Staple, trusted: readonly X509Certificate[]) => string | undefined

/** What settings are called in messages. */
export interface TlsDialNames extends DirectiveNames {
  readonly ciphers?: string
}

const isSuite = (name: string) => name.startsWith('TLS_')

export class TlsDialer implements DialLayer {
  readonly stage = 'tls'
  readonly suspicion: string | undefined = undefined
  private readonly rules: TlsDialRules
  private readonly context: SecureContext
  /** For the judge of OCSP responses. */
  private readonly trusted: readonly X509Certificate[]

  /**
   * @param names what the files are called in messages
   * @throws TlsFileError when a file cannot be used or OpenSSL refuses a setting
   */
  constructor(rules: TlsDialRules, names: TlsDialNames = { ...CLIENT_FLAGS, ciphers: '--ciphers' }) {
    this.rules = rules
    const { certfile, keyfile, psk, minVersion, keyLog } = rules
    // In TLS 1.3 the broker judges it afterwards, and what it says then may be lost with the connection.
    if (psk === undefined)
      this.suspicion =
        certfile === undefined ? 'it may ask for a client certificate' : 'it may not accept the client certificate'
    const authorities = readAuthorities(rules.cafile, rules.capath, names)
    const system = rules.usesSystem ? systemAuthorities() : []
    const fromSystem = () => system.flatMap((pem) => certificatesIn('TLS', 'authorities of the system', pem))
    this.trusted = rules.judgeStaple === undefined ? [] : [...authorities, ...fromSystem()]
    const settings: SecureContextOptions = {
      ...(certfile !== undefined && keyfile !== undefined && readIdentity(certfile, keyfile, names)),
      ca: [...authorities.map((each) => each.toString()), ...system],
      ciphers: cipherList(rules),
      minVersion,
      ...(psk !== undefined && { maxVersion: 'TLSv1.2' }),
    }
    this.context = secureContext(settings, names)
    if (keyLog !== undefined) this.log(keyLog, '')
  }

  /** @throws TlsFileError when the file cannot be written */
  private log(file: string, line: string | Buffer): void {
    try {
      appendFileSync(file, line)
    } catch (error) {
      throw new TlsFileError(`--tls-keylog ${file}: ${causeOf(error as Error)}`, { cause: error })
    }
  }

  open(socket: Duplex, { host }: HostPort, { take, opened, failed }: LayerOutcome): () => void {
    const { alpn, keyLog, psk, isLocal, judgeStaple } = this.rules
    const secured = connect({
      socket,
      secureContext: this.context,
      // The certificate is judged below, where there are words for it.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(isIP(host) === 0 && !isLocal && { servername: host }),
      ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
      ...(psk !== undefined && { pskCallback: () => ({ psk: psk.key, identity: psk.identity }) }),
      ...(judgeStaple !== undefined && { requestOCSP: true }),
    })
    let response: Buffer | undefined
    secured.once('OCSPResponse', (bytes: Buffer | null) => {
      response = bytes ?? undefined
    })
    if (keyLog !== undefined) secured.on('keylog', (line: Buffer) => this.log(keyLog, line))
    const onError = (error: Error) => failed(handshakeReason(error), codeOf(error).startsWith('ERR_SSL_'))
    secured.once('error', onError)
    secured.once('secureConnect', () => {
      const fault = this.faultOf(secured, host, response)
      if (fault !== undefined) {
        failed(fault, true)
        return
      }
      secured.off('error', onError)
      if (take !== undefined) readStream(secured, take)
      opened(secured)
    })
    return () =>
      secured
        .off('error', onError)
        .on('error', () => {})
        .destroy()
  }

  /** What is wrong with the broker's certificate. @param response of OCSP, stapled to it */
  private faultOf(socket: TLSSocket, host: string, response: Buffer | undefined): string | undefined {
    const { psk, verifies, isLocal, ignoresName = false, judgeStaple } = this.rules
    if (psk !== undefined || !verifies) return undefined
    const certificate = socket.getPeerCertificate(true)
    if (!socket.authorized) return serverCertificateReason(String(socket.authorizationError), certificate)
    if (!isLocal && !ignoresName && checkServerIdentity(host, certificate) !== undefined)
      return `the certificate of the broker is for ${namesOf(certificate).join(', ')} and not for ${host}`
    const fault = judgeStaple?.({ response, certificates: certificatesShown(socket) }, this.trusted)
    return fault && serverCertificateFault(fault, certificate)
  }
}

function namesOf({ subject, subjectaltname }: PeerCertificate): readonly string[] {
  const names = subjectaltname?.split(', ').map((name) => name.replace(/^(DNS|IP Address|URI):/, '')) ?? []
  return names.length > 0 ? names : [[subject?.CN].flat()[0] ?? 'nobody']
}

function handshakeReason(error: Error): string {
  // The other side has just closed the connection, which is what a broker does that takes a handshake for bad MQTT.
  if (codeOf(error) === 'ECONNRESET')
    return 'the broker closed the connection in the TLS handshake; it may not speak TLS on this port'
  return causeOf(error)
}

/** Node takes the ciphers of TLS 1.2 and the suites of TLS 1.3 in one list. */
function cipherList({ ciphers, psk, minVersion }: TlsDialRules): string {
  if (psk !== undefined) return ciphers ?? 'PSK'
  const standard = DEFAULT_CIPHERS.split(':')
  if (ciphers === undefined) return DEFAULT_CIPHERS
  if (minVersion === 'TLSv1.3' || ciphers.split(':').some(isSuite)) return ciphers
  return `${standard.filter(isSuite).join(':')}:${ciphers}`
}

function secureContext(settings: SecureContextOptions, { ciphers = 'ciphers' }: TlsDialNames): SecureContext {
  try {
    return createSecureContext(settings)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const isCipher = codeOf(error) === 'ERR_SSL_NO_CIPHER_MATCH'
    throw new TlsFileError(isCipher ? `${ciphers}: none of them is known` : `TLS: ${causeOf(error)}`, { cause: error })
  }
}
