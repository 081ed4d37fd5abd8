# Fault variants and canary versions, for clusters where upstream's images of them cannot be had.
variable "REGISTRY" { default = "localhost/meshcourse" }
variable "TAG" { default = "0.1.0" }

group "default" {
  targets = ["variant"]
}

target "variant" {
  name       = item.name
  context    = "."
  dockerfile = "deploy/variants/Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  tags       = ["${REGISTRY}/${item.name}:${TAG}"]
  args       = { FUNCTION = "meshcourse.embedded.images.${item.function}" }
  matrix = {
    item = [
      { name = "examples-bookinfo-ratings-v-faulty", function = "bookinfo.ratings:main_faulty" },
      { name = "examples-bookinfo-ratings-v-delayed", function = "bookinfo.ratings:main_delayed" },
      { name = "examples-bookinfo-ratings-v-unavailable", function = "bookinfo.ratings:main_unavailable" },
      { name = "examples-bookinfo-ratings-v-unhealthy", function = "bookinfo.ratings:main_unhealthy" },
      { name = "examples-bookinfo-productpage-v-flooding", function = "bookinfo.productpage:main_flooding" },
      { name = "examples-bookinfo-details-v2", function = "bookinfo.details:main_v2" },
      { name = "examples-bookinfo-reviews-v3", function = "bookinfo.reviews:main_v3" },
    ]
  }
}
