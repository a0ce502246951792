// Certificates for tests, made with the `openssl` command in a folder of their own: an authority, a server, and clients that are as
// they should be or wrong in one way each.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** False where certificates cannot be made; with CI set that is not accepted. */
export const hasOpenssl = process.env.CI !== undefined || spawnSync('openssl', ['version']).status === 0

/** What a name says when its tests are skipped. */
export const skippedWithout = hasOpenssl ? '' : ' (skipped: no openssl)'

export interface ClientCertificate {
  readonly cert: string
  readonly key: string
}

interface OcspOptions {
  /** Who has issued the certificate that is asked about. */
  readonly issuer?: string
  readonly signer?: string
  /** What the issuer's index has of it: valid, revoked, nothing. */
  readonly entry?: 'V' | 'R' | 'unknown'
  /** By which the certificate is named. */
  readonly hash?: 'sha1' | 'sha256'
}

interface Request {
  /** As on the command line of openssl: `/O=Org/CN=name`. */
  readonly subject: string
  /** UTCTime or GeneralizedTime; ten years around now unless given. */
  readonly from?: string
  readonly until?: string
  /** Lines of the extension section. */
  readonly extensions?: string
  /** Which authority signs. */
  readonly by?: string
  readonly isAuthority?: boolean
}

/** TABLE of the certificates: name of the files → how they are made. */
const REQUESTS: Readonly<Record<string, Request>> = {
  server: { subject: '/CN=localhost', extensions: 'subjectAltName=DNS:localhost,IP:127.0.0.1' },
  renewed: { subject: '/O=renewed/CN=localhost', extensions: 'subjectAltName=DNS:localhost,IP:127.0.0.1' },
  client: { subject: '/O=Org/CN=client one' },
  expired: { subject: '/CN=late', from: '20000101000000Z', until: '20010203000000Z' },
  early: { subject: '/CN=early', from: '20900405000000Z', until: '20950101000000Z' },
  nameless: { subject: '/O=Org' },
  control: { subject: '/CN=two\u0007lines' },
  odd: { subject: '/C=DE/O=Müller, Söhne \\+ Co/CN=a\\+b;"c"/OU=x=y' },
  multiple: { subject: '/O=Org/OU=one+CN=several' },
  server_only: { subject: '/CN=server only', extensions: 'extendedKeyUsage=serverAuth' },
  responder: { subject: '/CN=Responder', extensions: 'extendedKeyUsage=OCSPSigning' },
  client_only: { subject: '/CN=client only', extensions: 'extendedKeyUsage=clientAuth' },
  revoked: { subject: '/CN=revoked' },
  stranger: { subject: '/CN=stranger', by: 'other' },
  middle: { subject: '/CN=Middle CA', isAuthority: true },
  below: { subject: '/CN=below', by: 'middle' },
  impostor: { subject: '/CN=client one', by: 'forged_ca' },
  late_impostor: { subject: '/CN=late', by: 'forged_ca', from: '20000101000000Z', until: '20010203000000Z' },
}

export class Certificates {
  readonly folder = mkdtempSync(join(tmpdir(), 'tsmq-certificates-'))

  /** Takes about half a second. Remove them in `after`. */
  constructor() {
    for (const [name, subject] of [
      ['ca', '/CN=Test CA'],
      ['other', '/CN=Other CA'],
      ['forged_ca', '/CN=Test CA'],
    ] as const)
      this.authority(name, subject)
    for (const [name, request] of Object.entries(REQUESTS)) this.issue(name, request)
    this.selfSigned()
    this.openssl('ca', '-config', 'ca.cnf', '-revoke', 'revoked.crt')
    this.openssl('ca', '-config', 'ca.cnf', '-gencrl', '-crldays', '3000', '-out', 'crl.pem')
    const hour = ['-crl_lastupdate', '20000101000000Z', '-crl_nextupdate', '20000102000000Z']
    this.openssl('ca', '-config', 'ca.cnf', '-gencrl', ...hour, '-out', 'old-crl.pem')
    this.openssl('pkey', '-in', 'server.key', '-aes128', '-passout', 'pass:secret', '-out', 'encrypted.key')
    writeFileSync(this.path('both.crt'), this.read('ca.crt') + this.read('other.crt'))
    mkdirSync(this.path('capath'))
    const hash = this.openssl('x509', '-in', 'ca.crt', '-noout', '-hash').trim()
    writeFileSync(this.path(`capath/${hash}.0`), readFileSync(this.path('ca.crt')))
    mkdirSync(this.path('empty'))
    writeFileSync(this.path('empty/ca.crt'), readFileSync(this.path('ca.crt')))
    writeFileSync(this.path('nothing.pem'), '')
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  /** Certificate and key of a client. */
  client(name: string): ClientCertificate {
    return { cert: this.read(`${name}.crt`), key: this.read(`${name}.key`) }
  }

  /** The same with the certificate of its issuer behind it. */
  chained(name: string, issuer: string): ClientCertificate {
    return { cert: this.read(`${name}.crt`) + this.read(`${issuer}.crt`), key: this.read(`${name}.key`) }
  }

  /** The subject as openssl writes it by RFC 2253. */
  subject(name: string): string {
    const printed = this.openssl('x509', '-in', `${name}.crt`, '-noout', '-subject', '-nameopt', 'RFC2253')
    return printed.trim().replace(/^subject=/, '')
  }

  /** What `openssl ocsp` says of a certificate, valid for a day from now. @param signer the issuer, or a responder of it */
  ocspResponse(name: string, { issuer = 'ca', signer = issuer, entry = 'V', hash = 'sha1' }: OcspOptions = {}): Buffer {
    const serial = this.openssl('x509', '-in', `${name}.crt`, '-noout', '-serial').trim().replace('serial=', '')
    const revokedOn = entry === 'R' ? '260903040506Z' : ''
    // Of nobody's certificate: the responder does not know this one.
    const known = entry === 'unknown' ? ['V', 'FF'] : [entry, serial]
    writeFileSync(this.path('ocsp.index'), `${known[0]}\t400101000000Z\t${revokedOn}\t${known[1]}\tunknown\t/CN=x\n`)
    const responder = ['-index', 'ocsp.index', '-CA', `${issuer}.crt`, '-ndays', '1', '-noverify']
    const signing = ['-rsigner', `${signer}.crt`, '-rkey', `${signer}.key`, '-respout', 'ocsp.der']
    this.openssl('ocsp', ...responder, ...signing, '-issuer', `${issuer}.crt`, `-${hash}`, '-cert', `${name}.crt`)
    return readFileSync(this.path('ocsp.der'))
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  private openssl(...args: readonly string[]): string {
    return execFileSync('openssl', args, { cwd: this.folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  private authority(name: string, subject: string): void {
    writeFileSync(this.path(`${name}.index`), '')
    writeFileSync(this.path(`${name}.index.attr`), 'unique_subject = no\n')
    writeFileSync(
      this.path(`${name}.cnf`),
      `[ca]\ndefault_ca=it\n[it]\ndatabase=${name}.index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256
certificate=${name}.crt\nprivate_key=${name}.key\npolicy=any\npreserve=yes\nstring_mask=utf8only\ncrlnumber=${name}.crlnumber
[any]\nC=optional\nO=optional\nOU=optional\nCN=optional
[req]\ndistinguished_name=none\nstring_mask=utf8only\nutf8=yes\n[none]
[v3_ca]\nbasicConstraints=critical,CA:TRUE\n`,
    )
    writeFileSync(this.path(`${name}.crlnumber`), '01\n')
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`]
    const config = ['-config', `${name}.cnf`, '-extensions', 'v3_ca', '-days', '3000']
    this.openssl('req', '-x509', ...key, ...config, '-subj', subject, '-out', `${name}.crt`)
  }

  private issue(name: string, { subject, from, until, extensions = '', by = 'ca', isAuthority }: Request): void {
    this.request(name, subject)
    writeFileSync(this.path('extensions'), `basicConstraints=CA:${isAuthority ? 'TRUE' : 'FALSE'}\n${extensions}\n`)
    const files = ['-in', `${name}.csr`, '-out', `${name}.crt`, '-extfile', 'extensions']
    if (from === undefined || until === undefined) {
      const authority = ['-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', '3000']
      this.openssl('x509', '-req', ...authority, ...files)
    } else {
      // The only way to dates of one's own; it takes multi-valued names apart.
      const dates = ['-startdate', from, '-enddate', until]
      this.openssl('ca', '-batch', '-config', `${by}.cnf`, '-notext', '-utf8', ...dates, ...files)
    }
  }

  private request(name: string, subject: string): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`]
    this.openssl(
      'req',
      '-new',
      '-config',
      'ca.cnf',
      '-utf8',
      ...key,
      '-subj',
      subject,
      '-multivalue-rdn',
      '-out',
      `${name}.csr`,
    )
  }

  private selfSigned(): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'self.key']
    this.openssl('req', '-x509', '-config', 'ca.cnf', ...key, '-subj', '/CN=self', '-days', '3000', '-out', 'self.crt')
  }
}
