{{- define "rhone.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 32 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 32 characters, so that the names of pods, which certificates carry, have at most 63. */}}
{{- define "rhone.fullname" -}}
{{- $name := include "rhone.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 32 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 32 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 32 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes of a process's labels. Call with (list $ "worker"). */}}
{{- define "rhone.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "rhone.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "rhone.labels" -}}
{{- $root := index . 0 -}}
{{ include "rhone.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | quote }}
{{- end -}}

{{- define "rhone.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rhone.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "rhone.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "rhone.hasTls" -}}
{{- if ne .Values.tls.mode "off" -}}true{{- end -}}
{{- end -}}

{{- define "rhone.authoritySecret" -}}
{{- .Values.tls.authority.existingSecret | default (printf "%s-authority" (include "rhone.fullname" .)) -}}
{{- end -}}

{{- define "rhone.clusterSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-cluster-secret" (include "rhone.fullname" .)) -}}
{{- end -}}

{{- define "rhone.redisSecret" -}}
{{- if .Values.redis.enabled -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "rhone.fullname" .)) -}}
{{- else -}}
{{- .Values.externalRedis.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* Secret of an operator's certificate, for Prometheus. */}}
{{- define "rhone.operatorSecret" -}}
{{- .Values.monitoring.monitors.tlsSecret | default (printf "%s-operator" (include "rhone.fullname" .)) -}}
{{- end -}}

{{/* Whether Prometheus reads metrics by a token, as nobody has issued it a certificate. */}}
{{- define "rhone.hasMetricsToken" -}}
{{- $monitors := .Values.monitoring.monitors -}}
{{- if and $monitors.enabled (eq .Values.tls.mode "authority") (not $monitors.tlsSecret) -}}true{{- end -}}
{{- end -}}

{{- define "rhone.metricsSecret" -}}
{{- .Values.monitoring.monitors.tokenSecret | default (printf "%s-metrics" (include "rhone.fullname" .)) -}}
{{- end -}}

{{/* Mistakes that a schema can't see, all before anything is rendered. */}}
{{- define "rhone.check" -}}
{{- if .Values.redis.enabled -}}
{{- if .Values.externalRedis.url -}}
{{- fail "externalRedis.url is set, and so is redis.enabled: set redis.enabled to false." -}}
{{- end -}}
{{- else if not .Values.externalRedis.url -}}
{{- fail "redis.enabled is false: set externalRedis.url." -}}
{{- end -}}
{{- with .Values.gateway -}}
{{- $most := ternary (int .autoscaling.maxReplicas) (int .replicas) .autoscaling.enabled -}}
{{- if and (eq .storage.kind "ephemeral") (gt $most 1) -}}
{{- fail (printf "%d gateways need one storage of files and batches: set gateway.storage.kind to claim or s3." $most) -}}
{{- end -}}
{{- if and (eq .storage.kind "claim") (not .storage.claim) -}}
{{- fail "gateway.storage.kind is claim: set gateway.storage.claim." -}}
{{- end -}}
{{- if and (eq .storage.kind "s3") (not .storage.s3.url) -}}
{{- fail "gateway.storage.kind is s3: set gateway.storage.s3.url." -}}
{{- end -}}
{{- if and .autoscaling.enabled (not (dig "requests" "cpu" "" .resources)) -}}
{{- fail "gateway.autoscaling needs gateway.resources.requests.cpu, of which targetCpu is a share." -}}
{{- end -}}
{{- end -}}
{{- with .Values.model -}}
{{- if and (eq .source "claim") (not .claim.name) -}}
{{- fail "model.source is claim: set model.claim.name." -}}
{{- end -}}
{{- if and (eq .source "pull") (not .pull.name) -}}
{{- fail "model.source is pull: set model.pull.name, and model.path to the name of its file." -}}
{{- end -}}
{{- if and (ne .source "image") (hasPrefix "/" .path) -}}
{{- fail (printf "model.path is %s; with model.source %s it has no / at its beginning." .path .source) -}}
{{- end -}}
{{- end -}}
{{- if .Values.keda.enabled -}}
{{- if ne .Values.mode "leaderworkerset" -}}
{{- fail "keda.enabled needs mode leaderworkerset: a StatefulSet holds a part of a pipeline, not a whole one." -}}
{{- end -}}
{{- if not .Values.keda.serverAddress -}}
{{- fail "keda.enabled: set keda.serverAddress to Prometheus' URL." -}}
{{- end -}}
{{- end -}}
{{- with .Values.networkPolicy -}}
{{- if and .enabled .clients (not .prometheus) $.Values.monitoring.monitors.enabled -}}
{{- fail "networkPolicy.clients leaves out Prometheus, which reads metrics at the gateways' port: set networkPolicy.prometheus." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.tracing.clientCertificate (not .Values.tracing.tlsSecret) -}}
{{- fail "tracing.clientCertificate: set tracing.tlsSecret to a Secret with ca.crt, tls.crt and tls.key." -}}
{{- end -}}
{{- end -}}

{{/* The file of the model, where a pod has it; empty where it has not. Call with (list $ "worker"). */}}
{{- define "rhone.modelPath" -}}
{{- $model := (index . 0).Values.model -}}
{{- $isCoordinator := eq (index . 1) "coordinator" -}}
{{- if eq $model.source "image" -}}
{{ $model.path }}
{{- else if and (eq $model.source "claim") (or $isCoordinator $model.claim.shared) -}}
/models/{{ $model.path }}
{{- else if and (eq $model.source "pull") $isCoordinator -}}
/weights/pulled/models/{{ $model.path }}
{{- end -}}
{{- end -}}

{{/* Call with (list $ "worker"): kinds of pods go to different nodes. Groups of LeaderWorkerSets are told apart. */}}
{{- define "rhone.topologySpread" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.topologySpread.enabled -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ $root.Values.topologySpread.topologyKey }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "rhone.selector" . | nindent 8 }}
    {{- if eq (index . 1) "worker" }}
    matchLabelKeys:
      - {{ ternary "leaderworkerset.sigs.k8s.io/group-index" "rhone/pipeline" (eq $root.Values.mode "leaderworkerset") }}
    {{- end }}
{{- end -}}
{{- end -}}
