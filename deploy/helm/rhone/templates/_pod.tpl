{{/* What each pod begins with: (list $ .Values.worker). */}}
{{- define "rhone.podHead" -}}
{{- $root := index . 0 -}}
{{- $kind := index . 1 -}}
serviceAccountName: {{ include "rhone.serviceAccount" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $kind.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $kind.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $kind.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $kind.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "rhone.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  seccompProfile: { type: RuntimeDefault }
  fsGroupChangePolicy: OnRootMismatch
  {{- toYaml . | nindent 2 }}
{{- end -}}

{{- define "rhone.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{- define "rhone.imageLines" -}}
image: {{ include "rhone.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{/*
Three probes of /health and /ready: (list $ "ops"). A pipeline that waits is not ready, and alive. A gateway without one
is ready: it waits for a pipeline that comes back, says what is wrong, takes batches and shows the console, none of which
a balancer without gateways does.
*/}}
{{- define "rhone.probes" -}}
{{- $root := index . 0 -}}
{{- $port := index . 1 -}}
{{- $scheme := ternary "HTTPS" "HTTP" (and (eq $port "ops") (eq (include "rhone.hasTls" $root) "true")) -}}
startupProbe:
  httpGet: { path: /health, port: {{ $port }}, scheme: {{ $scheme }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 36
livenessProbe:
  httpGet: { path: /health, port: {{ $port }}, scheme: {{ $scheme }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: { path: {{ ternary "/health" "/ready" (eq $port "http") }}, port: {{ $port }}, scheme: {{ $scheme }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{- define "rhone.podEnv" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
{{- end -}}

{{/* Environment of every process of a cluster. */}}
{{- define "rhone.processEnv" -}}
{{ include "rhone.podEnv" . }}
- name: RHONE_HOST
  value: {{ .Values.host | quote }}
- name: RHONE_ADVERTISE_HOST
  value: $(POD_IP)
- name: RHONE_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: RHONE_WEIGHTS_DIR
  value: /weights
# The command line's, for `kubectl exec`.
- name: RHONE_HOME
  value: /tmp/rhone
{{- if include "rhone.hasTls" . }}
- name: RHONE_TLS_CA
  value: /identity/ca.crt
- name: RHONE_TLS_CERT
  value: /identity/tls.crt
- name: RHONE_TLS_KEY
  value: /identity/tls.key
{{- else }}
- name: RHONE_CLUSTER_SECRET_FILE
  value: /cluster/cluster-secret
- name: RHONE_ALLOW_PLAINTEXT
  value: "true"
{{- end }}
{{- end -}}

{{/* How Redis is reached. */}}
{{- define "rhone.redisEnv" -}}
- name: REDIS_URL
{{- if .Values.redis.enabled }}
  value: {{ ternary "rediss" "redis" (eq (include "rhone.hasTls" .) "true") }}://{{ include "rhone.fullname" . }}-redis:6379
{{- if include "rhone.hasTls" . }}
- name: RHONE_REDIS_CA
  value: /identity/ca.crt
{{- end }}
{{- else }}
  value: {{ .Values.externalRedis.url | quote }}
{{- if .Values.externalRedis.tlsSecret }}
- name: RHONE_REDIS_CA
  value: /redis-tls/ca.crt
{{- if .Values.externalRedis.clientCertificate }}
- name: RHONE_REDIS_CERT
  value: /redis-tls/tls.crt
- name: RHONE_REDIS_KEY
  value: /redis-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- if include "rhone.redisSecret" . }}
- name: RHONE_REDIS_PASSWORD_FILE
  value: /redis/redis-password
{{- end }}
{{- end -}}

{{/* What Prometheus shows to a process that asks others for a certificate. */}}
{{- define "rhone.metricsTokenEnv" -}}
{{- if include "rhone.hasMetricsToken" . }}
- name: RHONE_METRICS_TOKEN_FILE
  value: /metrics/token
{{- end }}
{{- end -}}

{{- define "rhone.metricsTokenMounts" -}}
{{- if include "rhone.hasMetricsToken" . }}
- name: metrics-token
  mountPath: /metrics
  readOnly: true
{{- end }}
{{- end -}}

{{- define "rhone.metricsTokenVolumes" -}}
{{- if include "rhone.hasMetricsToken" . }}
- name: metrics-token
  secret:
    secretName: {{ include "rhone.metricsSecret" . }}
    items: [{ key: token, path: token }]
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/* Where traces of requests go. Behind processEnv, which has the pod's name. */}}
{{- define "rhone.tracingEnv" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .ratio | quote }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)
  {{- range $name, $value := .resourceAttributes }},{{ $name }}={{ $value | urlquery | replace "+" "%20" }}{{ end }}
{{- if .headersSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom: { secretKeyRef: { name: {{ .headersSecret }}, key: headers } }
{{- end }}
{{- if .tlsSecret }}
- name: OTEL_EXPORTER_OTLP_CERTIFICATE
  value: /tracing-tls/ca.crt
{{- if .clientCertificate }}
- name: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE
  value: /tracing-tls/tls.crt
- name: OTEL_EXPORTER_OTLP_CLIENT_KEY
  value: /tracing-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "rhone.tracingMounts" -}}
{{- if and .Values.tracing.endpoint .Values.tracing.tlsSecret }}
- name: tracing-tls
  mountPath: /tracing-tls
  readOnly: true
{{- end }}
{{- end -}}

{{- define "rhone.tracingVolumes" -}}
{{- if and .Values.tracing.endpoint .Values.tracing.tlsSecret }}
- name: tracing-tls
  secret:
    secretName: {{ .Values.tracing.tlsSecret }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- define "rhone.redisMounts" -}}
{{- if include "rhone.redisSecret" . }}
- name: redis-password
  mountPath: /redis
  readOnly: true
{{- end }}
{{- if and (not .Values.redis.enabled) .Values.externalRedis.tlsSecret }}
- name: redis-tls
  mountPath: /redis-tls
  readOnly: true
{{- end }}
{{- end -}}

{{- define "rhone.redisVolumes" -}}
{{- with include "rhone.redisSecret" . }}
- name: redis-password
  secret:
    secretName: {{ . }}
    items: [{ key: redis-password, path: redis-password }]
    defaultMode: 0440
{{- end }}
{{- if and (not .Values.redis.enabled) .Values.externalRedis.tlsSecret }}
- name: redis-tls
  secret:
    secretName: {{ .Values.externalRedis.tlsSecret }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/* The certificate of a pod, or the cluster's secret. */}}
{{- define "rhone.identityMounts" -}}
{{- if include "rhone.hasTls" . }}
- name: identity
  mountPath: /identity
  readOnly: true
{{- else }}
- name: cluster-secret
  mountPath: /cluster
  readOnly: true
{{- end }}
{{- end -}}

{{/* (dict "root" $ "role" "worker" "hosts" (list …) "group" 1000). Redis reads its certificate once: it has a year. */}}
{{- define "rhone.identityVolumes" -}}
{{- $root := .root -}}
{{- $tls := $root.Values.tls -}}
{{- if eq $tls.mode "authority" }}
- name: identity
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
- name: authority
  secret:
    secretName: {{ include "rhone.authoritySecret" $root }}
    items:
      - { key: tls.crt, path: tls.crt }
      - { key: tls.key, path: tls.key }
    defaultMode: 0440
{{- else if eq $tls.mode "certManager" }}
- name: identity
  csi:
    driver: csi.cert-manager.io
    readOnly: true
    volumeAttributes:
      csi.cert-manager.io/issuer-name: {{ $tls.certManager.issuerRef.name | default (include "rhone.fullname" $root) }}
      csi.cert-manager.io/issuer-kind: {{ $tls.certManager.issuerRef.kind }}
      csi.cert-manager.io/issuer-group: {{ $tls.certManager.issuerRef.group }}
      csi.cert-manager.io/uri-sans: spiffe://{{ include "rhone.fullname" $root }}.{{ $root.Release.Namespace }}/{{ .role }}/${POD_NAME}
      {{- with .hosts }}
      csi.cert-manager.io/dns-names: {{ join "," . }}
      {{- end }}
      csi.cert-manager.io/key-usages: digital signature,server auth,client auth
      csi.cert-manager.io/duration: {{ ternary "8760h" $tls.certManager.duration (eq .role "redis") }}
      csi.cert-manager.io/renew-before: {{ ternary "24h" $tls.certManager.renewBefore (eq .role "redis") }}
      csi.cert-manager.io/fs-group: {{ .group | quote }}
{{- else }}
- name: cluster-secret
  secret:
    secretName: {{ include "rhone.clusterSecret" $root }}
    items: [{ key: cluster-secret, path: cluster-secret }]
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/*
With tls.mode authority: a container that starts first and stays. It issues the pod's certificate and renews it; only
it has the authority's key. (dict "root" $ "role" "worker" "hosts" (list …)).
*/}}
{{- define "rhone.identityContainer" -}}
{{- $root := .root -}}
{{- if eq $root.Values.tls.mode "authority" }}
- name: identity
  {{- include "rhone.imageLines" $root | nindent 2 }}
  restartPolicy: Always
  args:
    - certificate
    - --ca=/authority/tls.crt
    - --ca-key=/authority/tls.key
    - --as={{ .role }}
    - --name=$(POD_NAME)
    - --host
    - $(POD_IP)
    {{- range .hosts }}
    - {{ . }}
    {{- end }}
    - --life={{ ternary "365d" $root.Values.tls.authority.life (eq .role "redis") }}
    - --out=/identity
    - --renew
  env: {{- include "rhone.podEnv" $root | nindent 4 }}
  startupProbe:
    exec: { command: [test, -s, /identity/tls.crt] }
    periodSeconds: 1
    failureThreshold: 120
  resources:
    requests: { cpu: 10m, memory: 96Mi }
    limits: { memory: 192Mi }
  {{- include "rhone.containerSecurity" $root | nindent 2 }}
  volumeMounts:
    - { name: identity, mountPath: /identity }
    - { name: authority, mountPath: /authority, readOnly: true }
    - { name: tmp, mountPath: /tmp }
{{- end }}
{{- end -}}

{{- define "rhone.tmpVolume" -}}
- name: tmp
  emptyDir: { sizeLimit: 256Mi }
{{- end -}}
