/** nginx before gateways, for streams: nothing is kept back, and no request is sent twice by it. */

/** One process in the foreground, which a signal hits wholly. @param upstreams ports of this machine */
export function nginxConfig(folder: string, port: number, upstreams: readonly number[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${folder}/nginx-${name};`);
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
${temporary.join('\n')}
  access_log off;
  client_max_body_size 32m;
  upstream gateways {
${upstreams.map((upstream) => `    server 127.0.0.1:${upstream} max_fails=0;`).join('\n')}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      proxy_pass http://gateways;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      # Without API keys a gateway serves nobody who calls it by another name.
      proxy_set_header host $http_host;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 3600s;
      # A POST that may have arrived is the client's to repeat, under its idempotency key.
      proxy_next_upstream error timeout;
    }
  }
}
`;
}
