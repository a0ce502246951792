// Which directives of one listener need or exclude each other (broker-options.md section 9.1; security.md CVE-2018-20145).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFiles, readText } from './conf-text.js'

const TLS = 'certfile c\nkeyfile k\n'

/** Lines below `listener 1883`, and what the reader says of them. */
const cases: readonly { readonly conf: string; readonly problems?: readonly string[]; readonly warnings?: string[] }[] =
  [
    { conf: TLS },
    { conf: `${TLS}cafile a\nrequire_certificate true\n` },
    { conf: `${TLS}capath a\ncrlfile l\nuse_identity_as_username true\nuse_subject_as_username true\n` },
    { conf: `${TLS}cafile a\ndisable_client_cert_date_checks true\n` },
    { conf: `${TLS}ciphers HIGH\nciphers_tls1.3 TLS_AES_128_GCM_SHA256\ntls_version tlsv1.3\n` },
    { conf: 'require_certificate false\nuse_identity_as_username false\nuse_subject_as_username false\n' },
    { conf: 'psk_file p\npsk_hint h\nuse_identity_as_username true\nciphers PSK\ntls_version tlsv1.2\n' },
    { conf: `${TLS}enable_proxy_protocol 1\n` },
    { conf: 'enable_proxy_protocol 2\nproxy_protocol_v2_require_tls true\nrequire_certificate true\n' },
    { conf: 'enable_proxy_protocol 2\nuse_identity_as_username true\n' },
    {
      conf: 'enable_proxy_protocol 1\nproxy_protocol_v2_require_tls true\n',
      problems: ['proxy_protocol_v2_require_tls needs enable_proxy_protocol 2'],
    },
    {
      conf: `${TLS}enable_proxy_protocol 2\n`,
      problems: ['certfile does not go with enable_proxy_protocol 2: TLS ends at the load balancer'],
    },
    {
      conf: 'psk_file p\npsk_hint h\nenable_proxy_protocol 2\n',
      problems: ['psk_hint does not go with enable_proxy_protocol 2: TLS ends at the load balancer'],
    },
    {
      conf: 'enable_proxy_protocol 2\nuse_subject_as_username true\n',
      problems: [
        'use_subject_as_username needs cafile or capath',
        'use_subject_as_username does not go with enable_proxy_protocol 2: the load balancer tells the common name only',
      ],
    },
    { conf: 'psk_hint h\n', problems: ['psk_hint needs psk_file or plugin'] },
    { conf: 'psk_hint h\nplugin ./keys.mjs\n' },
    {
      conf: `${TLS}capath a\npsk_file p\npsk_hint h\n`,
      problems: ['certfile', 'capath'].map(
        (name) => `psk_hint does not go with ${name}: a listener has either certificates or pre-shared keys`,
      ),
    },
    {
      conf: 'psk_file p\npsk_hint h\ntls_version tlsv1.3\n',
      problems: ['psk_hint does not go with tls_version tlsv1.3: it ends at TLS 1.2'],
    },
    { conf: 'certfile c\n', problems: ['certfile needs keyfile'] },
    { conf: 'keyfile k\n', problems: ['keyfile needs certfile'] },
    { conf: 'cafile a\n', problems: ['cafile needs certfile'] },
    { conf: 'capath a\n', problems: ['capath needs certfile'] },
    { conf: `${TLS}crlfile l\n`, problems: ['crlfile needs cafile or capath'] },
    {
      conf: `${TLS}require_certificate true\n`,
      problems: ['require_certificate needs cafile or capath or enable_proxy_protocol 2'],
    },
    {
      conf: 'require_certificate true\n',
      problems: ['require_certificate needs cafile or capath or enable_proxy_protocol 2'],
    },
    {
      conf: 'use_identity_as_username true\n',
      problems: ['use_identity_as_username needs certfile or psk_hint or enable_proxy_protocol 2'],
    },
    { conf: `${TLS}use_identity_as_username true\n`, problems: ['use_identity_as_username needs cafile or capath'] },
    { conf: 'use_subject_as_username true\n', problems: ['use_subject_as_username needs cafile or capath'] },
    {
      conf: `${TLS}cafile a\ncrlfile l\ndisable_client_cert_date_checks true\n`,
      problems: [
        'disable_client_cert_date_checks does not go with crlfile: an expired certificate is not looked for in revocation lists',
      ],
    },
    { conf: 'ciphers HIGH\n', warnings: ['ciphers needs certfile or psk_hint to have an effect'] },
    { conf: 'ciphers_tls1.3 X\n', warnings: ['ciphers_tls1.3 needs certfile to have an effect'] },
    { conf: 'tls_version tlsv1.2\n', warnings: ['tls_version needs certfile or psk_hint to have an effect'] },
    {
      conf: `${TLS}disable_client_cert_date_checks true\n`,
      warnings: ['disable_client_cert_date_checks needs cafile or capath to have an effect'],
    },
  ]

for (const { conf, problems = [], warnings = [] } of cases)
  test(`CVE-2018-20145 ${JSON.stringify(conf)}: ${[...problems, ...warnings].join(', ') || 'nothing to say'}`, () => {
    const said = readFiles({ conf: `# a comment\nlistener 1883\n${conf}` })
    const expected = (list: readonly string[]) => list.map((text) => `conf:2: of this listener ${text}`)
    assert.deepEqual(said.problems, expected(problems))
    assert.deepEqual(said.warnings, expected(warnings))
  })

test('CVE-2018-20145 the default listener, local only and open, is judged alike', () => {
  for (const opened of ['', 'port 1883\n']) {
    const { problems } = readText(`require_certificate true\n${opened}`)
    assert.deepEqual(
      problems.map(({ line, option }) => ({ line, option })),
      [{ line: 1, option: 'require_certificate' }],
    )
  }
})

test('what stands before the first listener line has no effect, and is not judged with it', () => {
  assert.deepEqual(readText('require_certificate true\nlistener 1883\n').problems, [])
})
