// The files of a TLS listener: certificate, key, authorities, revocation lists. Reads and checks them before anything depends on
// them, so that a fault is told by file and cause, and says whose time is over soon. What is done with them is tls.ts's.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RevocationList, readRevocationList } from './der-fields.js'

/** A file that TLS cannot work with. The message names the directive, the file and the cause. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError'
}

/** The directive that names a file. */
type Directive = 'certfile' | 'keyfile' | 'cafile' | 'capath' | 'crlfile'

/** What a directive is called in messages, where that is not its own name. */
export type DirectiveNames = Readonly<Partial<Record<Directive, string>>>

/** The flags of the client commands. */
export const CLIENT_FLAGS: DirectiveNames = {
  certfile: '--cert',
  keyfile: '--key',
  cafile: '--cafile',
  capath: '--capath',
}

/** A certificate with the chain behind it and its key, as PEM. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

const DAY = 86_400_000
/** Days before its end at which a certificate is worth a warning. */
const SOON = 30

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g
const CERTIFICATES = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']
/** How OpenSSL names the files of a folder of authorities: hash of the subject, then a number. */
const HASHED_NAME = /^[0-9a-f]{8}\.\d+$/

/**
 * Reads a certificate and its key.
 * @throws TlsFileError when one cannot be read, is not what it should be, or the two do not belong together
 */
export function readIdentity(certfile: string, keyfile: string, names: DirectiveNames = {}): Identity {
  const { certfile: certName = 'certfile', keyfile: keyName = 'keyfile' } = names
  const [leaf] = readCertificates(certName, certfile)
  const key = read(keyName, keyfile)
  if (leaf?.checkPrivateKey(privateKey(keyName, keyfile, key)) !== true)
    throw new TlsFileError(`${keyName} ${keyfile} is not the key of ${certName} ${certfile}`)
  return { cert: read(certName, certfile), key }
}

/**
 * The authorities in a file, in a folder, or both.
 * @throws TlsFileError when one cannot be read or is empty: nobody is trusted, or not checked, by mistake
 */
export function readAuthorities(
  cafile: string | undefined,
  capath: string | undefined,
  { cafile: fileName = 'cafile', capath: folderName = 'capath' }: DirectiveNames = {},
): readonly X509Certificate[] {
  const fromFile = cafile === undefined ? [] : readCertificates(fileName, cafile)
  if (capath === undefined) return fromFile
  const names = attempt(folderName, capath, () => readdirSync(capath)).filter((name) => HASHED_NAME.test(name))
  if (names.length === 0)
    throw new TlsFileError(`${folderName} ${capath}: no certificates named by their hash (made with openssl rehash)`)
  return [...fromFile, ...names.sort().flatMap((name) => readCertificates(folderName, join(capath, name)))]
}

/**
 * The revocation lists in a file, each as PEM.
 * @throws TlsFileError when it cannot be read or holds none
 */
export function readRevocationLists(crlfile: string): readonly string[] {
  const lists = blocks(read('crlfile', crlfile), ['X509 CRL'])
  if (lists.length === 0) throw new TlsFileError(`crlfile ${crlfile}: no revocation list in PEM form`)
  return lists
}

/** @throws TlsFileError for a list that cannot be read */
export function parseRevocationLists(crlfile: string, pems: readonly string[]): readonly RevocationList[] {
  return pems.map((pem, index) => {
    try {
      return readRevocationList(Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64'))
    } catch {
      throw new TlsFileError(`crlfile ${crlfile}: list ${index + 1} cannot be read`)
    }
  })
}

/**
 * What is to be said of the dates of certificates: those that are over or begin later, and those that end soon.
 * @param now ms since 1970
 */
export function dateWarnings(what: string, certificates: readonly X509Certificate[], now: number): readonly string[] {
  return certificates.flatMap((each) => {
    const [from, to] = [Date.parse(each.validFrom), Date.parse(each.validTo)]
    const days = Math.floor((to - now) / DAY)
    const name = `${what}: the certificate of ${subjectName(each)}`
    if (to <= now) return [`${name} expired on ${day(to)}`]
    if (from > now) return [`${name} is not valid before ${day(from)}`]
    return days < SOON ? [`${name} expires on ${day(to)}, in ${days} ${days === 1 ? 'day' : 'days'}`] : []
  })
}

/** The common name, or what there is instead, in quotes. */
export function subjectName({ subject }: X509Certificate): string {
  const lines = subject?.split('\n') ?? []
  const line = lines.find((each) => each.startsWith('CN=')) ?? lines.find((each) => each.startsWith('O='))
  return `'${line?.replace(/^\w+=/, '') ?? 'nobody'}'`
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

function readCertificates(directive: string, file: string): readonly X509Certificate[] {
  return certificatesIn(directive, file, read(directive, file))
}

/** @throws TlsFileError when there is none, or one that cannot be read */
export function certificatesIn(directive: string, file: string, pem: string): readonly X509Certificate[] {
  const found = blocks(pem, CERTIFICATES)
  if (found.length === 0) throw new TlsFileError(`${directive} ${file}: no certificate in PEM form`)
  return found.map((pem, index) => {
    try {
      return new X509Certificate(pem)
    } catch {
      throw new TlsFileError(`${directive} ${file}: certificate ${index + 1} cannot be read`)
    }
  })
}

function privateKey(directive: string, file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    const isEncrypted = pem.includes('ENCRYPTED') || (error instanceof Error && /passphrase/i.test(error.message))
    throw new TlsFileError(
      `${directive} ${file}: ${isEncrypted ? 'the key is encrypted; it has to be stored without a pass phrase' : 'no private key in PEM form'}`,
    )
  }
}

function blocks(text: string, kinds: readonly string[]): readonly string[] {
  return [...text.matchAll(PEM_BLOCK)].filter(([, kind = '']) => kinds.includes(kind)).map(([block]) => block)
}

function read(directive: string, file: string): string {
  return attempt(directive, file, () => readFileSync(file, 'latin1'))
}

function attempt<T>(directive: string, path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const reason = /^[A-Z0-9]+: (.*?)(?:, \w+.*)?$/.exec(text)?.[1] ?? text
    throw new TlsFileError(`${directive} ${path}: ${reason}`, { cause: error })
  }
}
