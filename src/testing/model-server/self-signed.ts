/**
 * A certificate for 127.0.0.1 and localhost that no client trusts by default, with its private key, which is public
 * here and protects nothing. Valid from 2020 to 2120.
 *
 * @example
 *     import { selfSigned, startModelServer } from 'turnkeep/testing';
 *     import { Agent } from 'undici';
 *
 *     await using server = await startModelServer({ tls: selfSigned });
 *     const trusting = new Agent({ connect: { ca: selfSigned.cert } });
 */
export const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8SOkPxg4OlMUyhWn
dYEZ8nHD+ngOuZq6h9hLeaOs3BShRANCAAS4PED16iTm3KeRwe5oyjp0AbQU/ADJ
zDTRxcMrNCf5DmochSRHEnLPxte3YBZEDBp+Hp6tM9FTv4/pejtGDBds
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBRzCB7qADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWxvY2FsaG9z
dDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ
bG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuDxA9eok5tynkcHu
aMo6dAG0FPwAycw00cXDKzQn+Q5qHIUkRxJyz8bXt2AWRAwafh6erTPRU7+P6Xo7
RgwXbKMvMC0wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgRb2aI8fgJI93GRbuO0cu9iak/PO/K9UQ
AIy4tOXq8YcCIQDisPHXUkhdqrUb6cDVzWM4RWkOsZMcnKgRUEHPvBPq+g==
-----END CERTIFICATE-----`,
} as const;
